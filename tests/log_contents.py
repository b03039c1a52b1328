"""What lies on a log."""

from pipeline.log.message_log import MessageLog, Stored, Topic
from pipeline.log.slices import read_slice


def read_all(log: MessageLog, topic: Topic) -> list[Stored]:
    """All records of a topic, each partition in its order."""
    return [
        stored
        for partition, (start, end) in log.bounds(topic).items()
        for stored in read_slice(log, topic, partition, start, end)
    ]
