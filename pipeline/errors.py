"""What can go wrong, as one tree; every message says what to do now.

GroundswellError
├── ConfigError        the configuration cannot be used
├── InputError         a file or value given by the user cannot be used
├── LogError           the message log cannot be read or written
│   ├── LogFullError   no space left to append to
│   └── LogStoppedError  asked to end while the log could not be reached
├── SourceError        a source of messages cannot be read
├── EngineError        Flink or Prism cannot be used
├── WarehouseError     the warehouse or the published file cannot be used
└── BusyError          another process already does this job
"""

import sys
from collections.abc import Callable
from pathlib import Path
from traceback import extract_tb


class GroundswellError(Exception):
    """A failure in one sentence that says what is wrong and what to do."""


class ConfigError(GroundswellError):
    """The configuration cannot be used as it stands."""


class InputError(GroundswellError):
    """A file or value given by the user cannot be used."""


class LogError(GroundswellError):
    """The message log cannot be read or written."""


class LogFullError(LogError):
    """The log's disk is full; nothing was appended."""


class LogStoppedError(LogError):
    """The job was asked to end while it waited for the log.

    What it was about to append is not on the log, and is repeated at the next start.
    """


class SourceError(GroundswellError):
    """A source of messages cannot be read; the runner tries again later.

    Args:
        message: what happened and what to do.
        retry_after_s: seconds the source asked to be left alone, if it said so.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class EngineError(GroundswellError):
    """Flink or Prism, which the tagging job is to run on, cannot be used."""


class WarehouseError(GroundswellError):
    """The warehouse or the published file cannot be used."""


class BusyError(GroundswellError):
    """Another process already does this job on the same files."""


def origin(error: Exception) -> str:
    """The kind of an error and the line that raised it, without its words.

    Words that are not ours may quote what somebody wrote.
    """
    frames = extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} at {place}"


def exit_code(work: Callable[[], object]) -> int:
    """Of a command: 0, or 1 where its work fails, which is said on stderr."""
    try:
        work()
    except GroundswellError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0
