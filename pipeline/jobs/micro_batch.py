"""One bounded run of the Beam pipeline, as often as wanted.

The pipeline is built once and its portable form kept, as building it costs more than
running it; what must outlive a run is held by the process.
"""

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.runner import PipelineResult
from apache_beam.transforms.environments import EmbeddedPythonEnvironment
from apache_beam.utils import shared

from pipeline.jobs.logs import is_news, quieten_bundles
from pipeline.log.message_log import MessageLog
from pipeline.tagging.tagger import Tagger
from pipeline.transforms.coders import register_coders
from pipeline.transforms.deduplicate import Seen
from pipeline.transforms.held import Held
from pipeline.transforms.positions import Claim
from pipeline.transforms.process import Process
from pipeline.transforms.read import Read, claim_entry

NAMESPACE = "groundswell"


class MicroBatch:
    """Runs the pipeline over claimed slices of the log, one after another.

    Args:
        open_log: opens the log; called once.
        load_tagger: loads the tagger; called once, now.

    Raises:
        LogError: the log cannot be opened.
    """

    def __init__(
        self, open_log: Callable[[], MessageLog], load_tagger: Callable[[], Tagger]
    ) -> None:
        _quieten_beam()
        self._log = Held(open_log)
        self._tagger = Held(load_tagger)
        self._seen = Held(Seen)
        self.log = self._log.get()
        self._tagger.get()
        # "DirectRunner" would look for an engine to download; this one is built in.
        self._runner = FnApiRunner()
        self._pipeline = self._build()

    @property
    def tagger(self) -> Tagger:
        """What tags in every run."""
        return self._tagger.get()

    def run(self, claim: Claim) -> Counter[str]:
        """Process the slice that `claim` names; the counts of what was done.

        When it returns, the slice's tagged messages and dead letters are on the log.

        Returns:
            Sums of our counters: read, decoded, duplicates, tagged, dead_letters.

        Raises:
            LogError: the log cannot be read or written; run the claim again.
        """
        self.log.append("cursors", [claim_entry(claim)])
        try:
            result = self._runner.run_via_runner_api(
                self._pipeline, PipelineOptions([])
            )
        except BaseException:
            # It may have met messages that it did not write.
            self._seen.drop()
            raise
        finally:
            _forget_dead_models()
        return _counts(result)

    def close(self) -> None:
        """Close the log and let go of the tagger."""
        self.log.close()
        for held in (self._log, self._tagger, self._seen):
            held.drop()

    def _build(self) -> beam_runner_api_pb2.Pipeline:
        register_coders()
        pipeline = beam.Pipeline(runner=self._runner, options=PipelineOptions([]))
        process = Process(self._log, self._tagger, self._seen)
        _ = pipeline | Read(self._log) | process
        environment = EmbeddedPythonEnvironment.default()
        portable = pipeline.to_runner_api(default_environment=environment)
        # A pipeline removes its folder when it is run; this one itself never is.
        Path(pipeline.local_tempdir).rmdir()
        return portable


def _counts(result: PipelineResult) -> Counter[str]:
    counts: Counter[str] = Counter()
    for metric in result.metrics().query()["counters"]:
        name = metric.key.metric
        if name.namespace == NAMESPACE:
            counts[name.name] += metric.result
    return counts


def _quieten_beam() -> None:
    """Leave Beam its errors, except those that also reach us as exceptions."""
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    quieten_bundles()
    logging.getLogger().addFilter(is_news)


def _forget_dead_models() -> None:
    """Drop what RunInference leaves behind in every run.

    It asks Beam's map of shared objects for one under a key of its own each time,
    and the map keeps the key for ever: half a kilobyte a run, a gigabyte a month.
    """
    shared_map = shared._shared_map  # noqa: SLF001 - Beam offers no other way
    with shared_map._lock:  # noqa: SLF001
        blocks = shared_map._cache_map  # noqa: SLF001
        for key in [key for key, block in blocks.items() if _is_dead(block)]:
            del blocks[key]


def _is_dead(block: Any) -> bool:
    reference = block._ref  # noqa: SLF001
    return reference is not None and reference() is None
