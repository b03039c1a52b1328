"""Bytes of the log become messages; what is no message becomes a dead letter."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput

from pipeline.log.message_log import Stored
from pipeline.records import DeadLetter, Message, decode
from pipeline.transforms.dead_letters import DEAD, dead_letter


class Decoded(NamedTuple):
    """A message, and the record that held it."""

    stored: Stored
    message: Message


@beam.typehints.with_input_types(Stored)
@beam.typehints.with_output_types(Decoded)
class Decode(beam.PTransform):
    """Validates each record; invalid ones leave by the output `DEAD`."""

    def expand(self, stored: beam.PCollection[Stored]) -> Any:
        """Records -> decoded messages, dead letters."""
        return stored | beam.ParDo(_Decode()).with_outputs(DEAD, main="decoded")


@beam.typehints.with_output_types(Decoded, **{DEAD: DeadLetter})
class _Decode(beam.DoFn):
    def __init__(self) -> None:
        self._decoded = Metrics.counter("groundswell", "decoded")
        self._dead = Metrics.counter("groundswell", "dead_letters")

    def process(self, stored: Stored) -> Iterable[Decoded]:
        try:
            message = decode(stored.value, Message)
        except (ValueError, RecursionError) as error:
            self._dead.inc()
            yield TaggedOutput(DEAD, dead_letter(stored, "decode", str(error)))
        else:
            self._decoded.inc()
            yield Decoded(stored, message)
