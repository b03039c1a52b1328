"""What could not be processed, newest last, for the operator's eyes."""

from contextlib import suppress

from pipeline.config import Config
from pipeline.log.open import open_impatiently
from pipeline.log.slices import read_slice
from pipeline.records import DeadLetter, decode


def newest(config: Config, limit: int) -> list[DeadLetter]:
    """At most `limit` dead letters of each partition, oldest first.

    Raises:
        LogError: the log cannot be read.
    """
    log = open_impatiently(config.log)
    try:
        letters: list[DeadLetter] = []
        for partition, (_, end) in log.bounds("dead-letters").items():
            start = max(0, end - limit)
            for record in read_slice(log, "dead-letters", partition, start, end):
                with suppress(ValueError):  # the load job tells of it
                    letters.append(decode(record.value, DeadLetter))
        return letters
    finally:
        log.close()


def render(letters: list[DeadLetter]) -> str:
    """One line a letter: when, where, at what stage, why; never the text."""
    return "\n".join(
        f"{letter.at:%Y-%m-%d %H:%M:%S}  {letter.stage}  "
        f"{letter.topic}:{letter.partition}:{letter.offset}  {letter.error}"
        for letter in letters
    )
