"""What is laid on a log, and what lies there."""

from datetime import UTC, datetime

from pipeline.log.message_log import Entry, MessageLog, Stored, Topic
from pipeline.log.slices import read_slice
from pipeline.records import Message, encode

ANGRY = "This is so annoying, I hate this broken build"


def message(number: int) -> Message:
    """An angry message of now, in one of twenty threads; its id is the number."""
    now = datetime.now(UTC)
    return Message(
        source="test",
        platform="test",
        id=f"{number}",
        channel="c",
        thread=f"{number % 20}",
        author=f"{number % 9:016x}",
        sent_at=now,
        seen_at=now,
        text=ANGRY,
    )


def append(log: MessageLog, numbers: range, topic: Topic = "messages") -> None:
    """Append the messages of these numbers."""
    messages = [message(number) for number in numbers]
    log.append(topic, [Entry(each.partition_key, encode(each)) for each in messages])


def read_all(log: MessageLog, topic: Topic) -> list[Stored]:
    """All records of a topic, each partition in its order."""
    return [
        stored
        for partition, (start, end) in log.bounds(topic).items()
        for stored in read_slice(log, topic, partition, start, end)
    ]
