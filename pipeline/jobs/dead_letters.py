"""What could not be processed, newest last, for the operator's eyes."""

from pipeline.config import Config
from pipeline.log.open import open_log
from pipeline.records import DeadLetter, decode


def newest(config: Config, limit: int) -> list[DeadLetter]:
    """At most `limit` dead letters of each partition, oldest first.

    Raises:
        LogError: the log cannot be read.
    """
    log = open_log(config.log)
    try:
        return [
            decode(record.value, DeadLetter)
            for partition, (_, end) in log.bounds("dead-letters").items()
            for record in log.read(
                "dead-letters", partition, max(0, end - limit), limit
            )
        ]
    finally:
        log.close()


def render(letters: list[DeadLetter]) -> str:
    """One line a letter: when, where, at what stage, why; never the text."""
    return "\n".join(
        f"{letter.at:%Y-%m-%d %H:%M:%S}  {letter.stage}  "
        f"{letter.topic}:{letter.partition}:{letter.offset}  {letter.error}"
        for letter in letters
    )
