"""Records of the log that a claim names.

A claim is a slice of every partition, [start, end). The driver writes it to the log
before a run, so that the pipeline itself never changes and can be kept.
"""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import msgspec
from apache_beam.metrics import Metrics

from pipeline.log.message_log import Entry, MessageLog, Stored
from pipeline.transforms.held import Held

CLAIM_KEY = "process-claim"
CHUNK = 1_000

Claim = dict[str, tuple[int, int]]
"""partition -> the first offset, and the first offset that is not wanted."""


def claim_entry(claim: Claim) -> Entry:
    """The claim as it is appended to the topic `cursors`."""
    return Entry(CLAIM_KEY, msgspec.json.encode({"messages": claim}))


class Read(beam.PTransform):
    """Reads what the newest claim on the log names, in order.

    Args:
        log: read from and asked for the claim.
    """

    def __init__(self, log: Held[MessageLog]) -> None:
        super().__init__()
        self._log = log

    def expand(self, pbegin: beam.pvalue.PBegin) -> beam.PCollection[Stored]:
        """Beginning -> records of the topic `messages`."""
        return pbegin | beam.Impulse() | beam.ParDo(_ReadClaim(self._log))


class _ReadClaim(beam.DoFn):
    def __init__(self, log: Held[MessageLog]) -> None:
        self._log = log
        self._read = Metrics.counter("groundswell", "read")

    def process(self, _impulse: bytes) -> Iterable[Stored]:
        log = self._log.get()
        value = log.latest("cursors")[CLAIM_KEY]
        claim = msgspec.json.decode(value, type=dict[str, Claim])["messages"]
        for partition, (start, end) in claim.items():
            for stored in _slice(log, int(partition), start, end):
                self._read.inc()
                yield stored


def _slice(log: MessageLog, partition: int, start: int, end: int) -> Iterator[Stored]:
    while start < end:
        chunk = log.read("messages", partition, start, min(CHUNK, end - start))
        # Where retention took the slice away, the chunk begins beyond its end.
        wanted = [stored for stored in chunk if stored.offset < end]
        yield from wanted
        start = wanted[-1].offset + 1 if wanted else end
