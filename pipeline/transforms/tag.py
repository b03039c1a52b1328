"""Messages receive their marks, by Beam's RunInference over a tagger of ours."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import msgspec
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput

from pipeline.errors import origin
from pipeline.log.message_log import Stored
from pipeline.records import DeadLetter, Mark, Message, TaggedMessage
from pipeline.tagging.language import detect
from pipeline.tagging.tagger import Tagger, TextToTag
from pipeline.transforms.dead_letters import DEAD, dead_letter
from pipeline.transforms.decode import Decoded
from pipeline.transforms.held import Held
from pipeline.transforms.run_inference import ModelHandler, RunInference

BATCH = 256
"""Messages a tagger is given at once, fewer when they are large.

It is fixed, as Beam would otherwise feel its way anew in every run.
"""
_UNIT_BYTES = 64 * 1024
"""A record of N times this size counts for N messages of a batch."""


class Tagged(NamedTuple):
    """A tagged message, and the record that held the message."""

    stored: Stored
    tagged: TaggedMessage


@beam.typehints.with_input_types(Decoded)
@beam.typehints.with_output_types(Tagged)
class Tag(beam.PTransform):
    """Gives each message its flagged marks, and its language where none is known.

    Messages that the tagger fails on leave by the output `DEAD`.

    Args:
        tagger: loaded once a process, as RunInference would do it in every run.
    """

    def __init__(self, tagger: Held[Tagger]) -> None:
        super().__init__()
        self._tagger = tagger

    def expand(self, decoded: beam.PCollection[Decoded]) -> Any:
        """Decoded messages -> tagged messages, dead letters."""
        return (
            decoded
            | RunInference(TaggerHandler(self._tagger), metrics_namespace="groundswell")
            | beam.ParDo(_Part()).with_outputs(DEAD, main="tagged")
        )


class Model:
    """What RunInference shares; unlike many taggers it accepts weak references."""

    def __init__(self, tagger: Tagger) -> None:
        self.tagger = tagger


class TaggerHandler(ModelHandler[Decoded, Tagged | DeadLetter, Model]):
    """Runs a tagger over batches; a batch that fails is tried message by message.

    Args:
        tagger: loaded once a process.
    """

    def __init__(self, tagger: Held[Tagger]) -> None:
        super().__init__(
            min_batch_size=BATCH, max_batch_size=BATCH, element_size_fn=_weight
        )
        self._tagger = tagger

    def load_model(self) -> Model:
        """The process's tagger; only the first call loads it."""
        return Model(self._tagger.get())

    def run_inference(
        self,
        batch: Sequence[Decoded],
        model: Model,
        _inference_args: dict[str, Any] | None = None,
    ) -> list[Tagged | DeadLetter]:
        """Tag a batch; one result a message, in order."""
        try:
            return list(_tag(batch, model.tagger))
        except Exception:  # noqa: BLE001 - whatever a tagger raises, messages go on
            return [_tag_one(decoded, model.tagger) for decoded in batch]

    def get_num_bytes(self, batch: Sequence[Decoded]) -> int:
        """Bytes of the records in a batch."""
        return sum(len(decoded.stored.value) for decoded in batch)


def _weight(decoded: Decoded) -> int:
    return max(1, len(decoded.stored.value) // _UNIT_BYTES)


def _tag_one(decoded: Decoded, tagger: Tagger) -> Tagged | DeadLetter:
    try:
        return _tag([decoded], tagger)[0]
    except Exception as error:  # noqa: BLE001 - it becomes the dead letter
        reason = f"the tagger {tagger.name} raised {origin(error)}"
        return dead_letter(decoded.stored, "tag", reason)


def _tag(batch: Sequence[Decoded], tagger: Tagger) -> list[Tagged]:
    messages = [_with_language(decoded.message) for decoded in batch]
    texts = [
        TextToTag(message.text, message.language, message.platform, message.context)
        for message in messages
        if _has_text(message)
    ]
    marks = iter(tagger.tag(texts))
    return [
        Tagged(
            decoded.stored,
            TaggedMessage(
                message=message,
                marks=_flagged(next(marks)) if _has_text(message) else (),
            ),
        )
        for decoded, message in zip(batch, messages, strict=True)
    ]


def _has_text(message: Message) -> bool:
    return not message.deleted and bool(message.text.strip())


def _flagged(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    return tuple(mark for mark in marks if mark.flagged)


def _with_language(message: Message) -> Message:
    if message.language is not None or not _has_text(message):
        return message
    return msgspec.structs.replace(message, language=detect(message.text))


@beam.typehints.with_output_types(Tagged, **{DEAD: DeadLetter})
class _Part(beam.DoFn):
    def __init__(self) -> None:
        self._tagged = Metrics.counter("groundswell", "tagged")
        self._dead = Metrics.counter("groundswell", "dead_letters")

    def process(self, result: Tagged | DeadLetter) -> Iterable[Tagged]:
        if isinstance(result, DeadLetter):
            self._dead.inc()
            yield TaggedOutput(DEAD, result)
        else:
            self._tagged.inc()
            yield result
