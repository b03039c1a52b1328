"""Runs of records, however many reads they take."""

from collections.abc import Iterator

from pipeline.log.message_log import MessageLog, Stored, Topic

CHUNK = 1_000


def read_slice(
    log: MessageLog, topic: Topic, partition: int, start: int, end: int
) -> Iterator[Stored]:
    """What is left on the log of the offsets [start, end), in order.

    Raises:
        LogError: the log cannot be read.
    """
    while start < end:
        chunk = log.read(topic, partition, start, min(CHUNK, end - start))
        # Where retention took the slice away, the chunk begins beyond its end.
        wanted = [stored for stored in chunk if stored.offset < end]
        yield from wanted
        start = wanted[-1].offset + 1 if wanted else end
