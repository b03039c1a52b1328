"""Files that are whole or not there, whenever the power fails."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import InputError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever finds half of it.

    Raises:
        InputError: there is no space left, or nobody may write there.
    """
    scratch = path.with_name(f"{path.name}.part")
    with told(path):
        with scratch.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)


def copy_whole(path: Path, target: Path) -> None:
    """Copy a small file, likewise."""
    write_whole(target, path.read_bytes())


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Say of a failure to write what to do about it.

    Raises:
        InputError: there is no space left, or nobody may write there.
    """
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}): make room or choose "
            "another folder, then run the same command again; it goes on from there"
        ) from error
