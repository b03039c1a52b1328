"""Records of the log that a claim names.

The driver writes the claim to the log before a run, so that the pipeline itself never
changes and can be kept.
"""

from collections.abc import Iterable, Iterator

import apache_beam as beam
from apache_beam.metrics import Metrics

from pipeline.log.message_log import Entry, MessageLog, Stored
from pipeline.log.slices import read_slice
from pipeline.transforms.held import Held
from pipeline.transforms.positions import Claim, decode_places, encode_places

CLAIM_KEY = "process-claim"


def claim_entry(claim: Claim) -> Entry:
    """The claim as it is appended to the topic `cursors`."""
    return Entry(CLAIM_KEY, encode_places(claim))


def records(log: MessageLog, claim: Claim) -> Iterator[Stored]:
    """What is left on the log of `claim`, each slice in order, one after another.

    Raises:
        LogError: the log cannot be read.
    """
    for place, (start, end) in claim.items():
        yield from read_slice(log, *place, start, end)


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
    return decode_places(log.latest("cursors")[CLAIM_KEY], tuple[int, int])
