"""Records of the log that a claim names.

The driver writes the claim to the log before a run, so that the pipeline itself never
changes and can be kept.
"""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import msgspec
from apache_beam.metrics import Metrics

from pipeline.log.message_log import Entry, MessageLog, Stored, Topic
from pipeline.transforms.held import Held
from pipeline.transforms.positions import Claim, Place

CLAIM_KEY = "process-claim"
CHUNK = 1_000


def claim_entry(claim: Claim) -> Entry:
    """The claim as it is appended to the topic `cursors`."""
    topics: dict[Topic, dict[int, tuple[int, int]]] = {}
    for (topic, partition), slice_ in claim.items():
        topics.setdefault(topic, {})[partition] = slice_
    return Entry(CLAIM_KEY, msgspec.json.encode(topics))


def records(log: MessageLog, claim: Claim) -> Iterator[Stored]:
    """What is left on the log of `claim`, each slice in order, one after another.

    Raises:
        LogError: the log cannot be read.
    """
    for place, (start, end) in claim.items():
        yield from _slice(log, place, start, end)


def _slice(log: MessageLog, place: Place, start: int, end: int) -> Iterator[Stored]:
    while start < end:
        chunk = log.read(*place, start, min(CHUNK, end - start))
        # Where retention took the slice away, the chunk begins beyond its end.
        wanted = [stored for stored in chunk if stored.offset < end]
        yield from wanted
        start = wanted[-1].offset + 1 if wanted else end


class Read(beam.PTransform):
    """Reads what the newest claim on the log names, in order.

    Args:
        log: read from and asked for the claim.
    """

    def __init__(self, log: Held[MessageLog]) -> None:
        super().__init__()
        self._log = log

    def expand(self, pbegin: beam.pvalue.PBegin) -> beam.PCollection[Stored]:
        """Beginning -> records of the topics that are to be tagged."""
        return pbegin | beam.Impulse() | beam.ParDo(_ReadClaim(self._log))


class _ReadClaim(beam.DoFn):
    def __init__(self, log: Held[MessageLog]) -> None:
        self._log = log
        self._read = Metrics.counter("groundswell", "read")

    def process(self, _impulse: bytes) -> Iterable[Stored]:
        log = self._log.get()
        for stored in records(log, _newest_claim(log)):
            self._read.inc()
            yield stored


def _newest_claim(log: MessageLog) -> Claim:
    value = log.latest("cursors")[CLAIM_KEY]
    topics = msgspec.json.decode(value, type=dict[Topic, dict[int, tuple[int, int]]])
    return {
        (topic, partition): slice_
        for topic, partitions in topics.items()
        for partition, slice_ in partitions.items()
    }
