"""What a stage could not process: how it is described and where it goes."""

from pipeline.log.message_log import Entry, Stored
from pipeline.records import DeadLetter, encode

DEAD = "dead-letters"
"""The tagged output of a stage that carries its dead letters."""


def dead_letter(stored: Stored, stage: str, error: str) -> DeadLetter:
    """The record that failed in `stage`, and why.

    Its time is the record's on the log, so that a repeated run gives the same.
    """
    return DeadLetter(
        topic=stored.topic,
        partition=stored.partition,
        offset=stored.offset,
        stage=stage,
        error=error.encode(errors="backslashreplace").decode(),
        raw=stored.value,
        at=stored.at,
    )


def to_entry(letter: DeadLetter) -> Entry:
    """The dead letter as it is appended to the log."""
    return Entry(f"{letter.topic}/{letter.partition}", encode(letter))
