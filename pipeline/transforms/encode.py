"""Tagged messages become entries of the log."""

from collections.abc import Iterable
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput

from pipeline.log.message_log import Entry
from pipeline.records import DeadLetter, encode
from pipeline.transforms.dead_letters import DEAD, dead_letter
from pipeline.transforms.tag import Tagged


@beam.typehints.with_input_types(Tagged)
@beam.typehints.with_output_types(Entry)
class Encode(beam.PTransform):
    """Encodes each message; what UTF-8 cannot carry leaves by the output `DEAD`."""

    def expand(self, tagged: beam.PCollection[Tagged]) -> Any:
        """Tagged messages -> entries, dead letters."""
        return tagged | beam.ParDo(_Encode()).with_outputs(DEAD, main="entries")


@beam.typehints.with_output_types(Entry, **{DEAD: DeadLetter})
class _Encode(beam.DoFn):
    def __init__(self) -> None:
        self._dead = Metrics.counter("groundswell", "dead_letters")

    def process(self, element: Tagged) -> Iterable[Entry]:
        stored, tagged = element
        try:
            yield Entry(tagged.message.partition_key, encode(tagged))
        except ValueError as error:
            self._dead.inc()
            yield TaggedOutput(DEAD, dead_letter(stored, "encode", str(error)))
