"""The tagging job as one pipeline without end, for engines that stream."""

from functools import partial

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.config import Config
from pipeline.log.message_log import MessageLog
from pipeline.log.open import open_log
from pipeline.tagging.load import load_tagger_to_stay
from pipeline.tagging.tagger import Tagger
from pipeline.transforms.coders import register_coders
from pipeline.transforms.deduplicate import Seen
from pipeline.transforms.follow import Follow
from pipeline.transforms.held import Held
from pipeline.transforms.process import Process


def build(
    config: Config, options: PipelineOptions, *, hold_watermark: bool
) -> beam.Pipeline:
    """The pipeline, not started yet.

    What a worker process needs it makes itself, once: the log, the tagger and the
    memory of keys are shared by its threads.

    Args:
        config: the log and the tagger; no secret travels with it.
        options: name the engine and where it is.
        hold_watermark: see `Follow`.
    """
    register_coders()
    log: Held[MessageLog] = Held(partial(open_log, config.log))
    tagger: Held[Tagger] = Held(
        partial(
            load_tagger_to_stay,
            config.tagging,
            suicidality=config.privacy.suicidality,
        )
    )
    pipeline = beam.Pipeline(options=options)
    poll_s = config.tagging.poll_s
    records = pipeline | Follow(log, poll_s=poll_s, hold_watermark=hold_watermark)
    _ = records | Process(log, tagger, Held(Seen))
    return pipeline
