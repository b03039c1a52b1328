"""Repetitions of a message are dropped early, as far as memory reaches.

Connectors repeat themselves after a crash. This spares the tagger their work; it is
the warehouse that writes each key once.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable

import apache_beam as beam
from apache_beam.metrics import Metrics

from pipeline.log.message_log import Stored, Topic
from pipeline.records import MessageKey
from pipeline.transforms.decode import Decoded
from pipeline.transforms.held import Held


class Seen:
    """Where on the log recent keys were first met; the least recent are forgotten.

    Several threads of a worker may share it.

    Args:
        capacity: keys remembered.
    """

    def __init__(self, capacity: int = 100_000) -> None:
        self._capacity = capacity
        self._first: OrderedDict[MessageKey, tuple[Topic, int, int]] = OrderedDict()
        self._lock = threading.Lock()

    def repeats(self, key: MessageKey, stored: Stored) -> bool:
        """Whether `key` was met elsewhere before `stored`, its record.

        The same place again is no repetition but a run that is tried again. Nor is an
        earlier place of the same partition: there, the job was set back.
        """
        topic, partition, offset = place = stored[:3]
        with self._lock:
            known = self._first.setdefault(key, place)
            if known[:2] != (topic, partition) or known[2] < offset:
                self._first.move_to_end(key)
                return True
            self._first[key] = place
            if len(self._first) > self._capacity:
                self._first.popitem(last=False)
            return False


@beam.typehints.with_input_types(Decoded)
@beam.typehints.with_output_types(Decoded)
class Deduplicate(beam.PTransform):
    """Drops messages whose key was met earlier on the log.

    Args:
        seen: the keys met, kept from run to run.
    """

    def __init__(self, seen: Held[Seen]) -> None:
        super().__init__()
        self._seen = seen

    def expand(self, decoded: beam.PCollection[Decoded]) -> beam.PCollection[Decoded]:
        """Decoded messages -> the same without repetitions."""
        return decoded | beam.ParDo(_Deduplicate(self._seen))


class _Deduplicate(beam.DoFn):
    def __init__(self, seen: Held[Seen]) -> None:
        self._held = seen
        self._duplicates = Metrics.counter("groundswell", "duplicates")

    def setup(self) -> None:
        self._seen = self._held.get()

    def process(self, decoded: Decoded) -> Iterable[Decoded]:
        stored, message = decoded
        # A deletion may share its key with what it deletes.
        if not message.deleted and self._seen.repeats(message.key, stored):
            self._duplicates.inc()
        else:
            yield decoded
