"""What teachers say of many texts: a byte a text and output, mapped into memory.

scores.u8 is texts x outputs, 255 for sure; names.txt says which texts, one a line,
heads.json which outputs.
"""

import json
import lzma
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError
from pipeline.training.corpora import Output
from pipeline.training.files import told, write_whole

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

SURE = 255
_SCORES, _NAMES, _HEADS, _DONE = "scores.u8", "names.txt", "heads.json", "done.txt"
_GIVEN, _GIVEN_NAMES = "soft_labels.u8.xz", "soft_label_ids.txt.xz"


class SoftLabels(NamedTuple):
    """Scores, texts x outputs, with the names of both."""

    outputs: list[Output]
    names: list[str]
    scores: Bytes


class SoftLabelFile:
    """The same while it is written; what was written before a crash stays.

    Args:
        folder: of the files.
        outputs: of the teachers.
        names: of the texts.

    Raises:
        InputError: there is no room for it.
    """

    def __init__(
        self, folder: Path, outputs: Sequence[Output], names: Sequence[str]
    ) -> None:
        self._folder = folder
        self._shape = len(names), len(outputs)
        if not (folder / _DONE).is_file():
            _create(folder, outputs, names)
        self._scores = np.memmap(folder / _SCORES, np.uint8, "r+", shape=self._shape)

    @property
    def done(self) -> int:
        """Texts written so far, the first ones."""
        return int((self._folder / _DONE).read_text(encoding="ascii"))

    def write(self, start: int, probabilities: Floats) -> None:
        """Write down the next texts' probabilities, texts x outputs."""
        end = start + len(probabilities)
        self._scores[start:end] = np.rint(probabilities * SURE)
        self._flush(end)

    def write_outputs(self, rows: Iterator[Bytes]) -> None:
        """Write down everything, one output at a time."""
        for number, row in enumerate(rows):
            self._scores[:, number] = row
        self._flush(self._shape[0])

    def _flush(self, done: int) -> None:
        with told(self._folder):
            self._scores.flush()
        write_whole(self._folder / _DONE, str(done).encode())


def complete(folder: Path) -> bool:
    """Whether all soft labels are written that are to be."""
    if not (folder / _DONE).is_file():
        return False
    names = (folder / _NAMES).read_text(encoding="utf-8").split("\n")
    return int((folder / _DONE).read_text(encoding="ascii")) == len(names)


def read_soft_labels(folder: Path) -> SoftLabels:
    """What `SoftLabelFile` wrote.

    Raises:
        InputError: there are none, or not all.
    """
    if not complete(folder):
        raise InputError(
            f"{folder} does not hold all soft labels: run --stage soft-labels"
        )
    outputs = _outputs(folder / _HEADS)
    names = (folder / _NAMES).read_text(encoding="utf-8").split("\n")
    shape = len(names), len(outputs)
    return SoftLabels(
        outputs, names, np.memmap(folder / _SCORES, np.uint8, "r", shape=shape)
    )


def take_given(given: Path, folder: Path) -> None:
    """Take ready soft labels instead of teachers' own.

    Args:
        given: holds soft_labels.u8.xz, outputs x texts, soft_label_ids.txt.xz, and here
            or in a folder beside them heads.json.
        folder: to write into.

    Raises:
        InputError: they are not there, or do not belong together.
    """
    heads = sorted([*given.glob("heads.json"), *given.glob("*/heads.json")])
    missing = [n for n in (_GIVEN, _GIVEN_NAMES) if not (given / n).is_file()]
    if missing or not heads:
        raise InputError(
            f"{given} does not hold {(missing or [_HEADS])[0]}: name the folder of "
            "ready soft labels (docs/training.md), or let teachers make them"
        )
    try:
        with lzma.open(given / _GIVEN_NAMES, "rt", encoding="utf-8") as file:
            names = file.read().strip().split("\n")
        outputs = _outputs(heads[0])
        rows = _rows(given / _GIVEN, len(outputs), len(names))
        SoftLabelFile(folder, outputs, names).write_outputs(rows)
    except (lzma.LZMAError, EOFError) as error:
        raise InputError(f"{given} cannot be read ({error}): get it anew") from error


def _rows(path: Path, outputs: int, texts: int) -> Iterator[Bytes]:
    with lzma.open(path, "rb") as file:
        for _ in range(outputs):
            row = np.frombuffer(file.read(texts), np.uint8)
            if len(row) != texts:
                raise InputError(
                    f"{path} is too short for {outputs} outputs of {texts} texts: "
                    "get it anew, with the files beside it"
                )
            yield row


def _create(folder: Path, outputs: Sequence[Output], names: Sequence[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    heads = [output._asdict() for output in outputs]
    write_whole(folder / _HEADS, json.dumps(heads, indent=1).encode() + b"\n")
    write_whole(folder / _NAMES, "\n".join(names).encode())
    path = folder / _SCORES
    with told(path), path.open("wb") as file:
        # A full disk says so here; in a mapped file it would kill the process.
        os.posix_fallocate(file.fileno(), 0, len(names) * len(outputs))
    write_whole(folder / _DONE, b"0")


def _outputs(path: Path) -> list[Output]:
    heads = json.loads(path.read_text(encoding="utf-8"))
    return [Output(head["task"], head["label"]) for head in heads]
