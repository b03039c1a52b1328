"""What a training is asked for."""

from pathlib import Path
from typing import Literal

import msgspec

from pipeline.errors import InputError
from pipeline.training.corpora import CHATS, SETS
from pipeline.training.files import write_whole

Stage = Literal["teachers", "soft-labels", "student", "export", "all"]
_KEPT = "training.json"
_OF_A_BASE = ("model.safetensors", "config.json", "tokenizer.json")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """All that the outcome depends on.

    Args:
        data: folder of the labelled sets and chats.
        base: folder of the student's first weights.
        teacher_base: of the teachers', if others.
        teachers: how many, one a seed.
        soft_labels: folder of ready ones, instead of teachers.
        without: sets and chats to leave out.
        subset: labelled texts, and chats' messages, at most.
        seed: of all chances.
    """

    data: Path
    base: Path
    teacher_base: Path | None = None
    teachers: int = 2
    soft_labels: Path | None = None
    without: tuple[str, ...] = ()
    subset: int | None = None
    seed: int = 1


def check(options: Options) -> None:
    """See that the folders and names are there, before any long work.

    Raises:
        InputError: one is not.
    """
    if not options.data.is_dir():
        raise InputError(
            f"{options.data} is no folder: name the one that holds emotion/, "
            "mental_health/, incivility/ and streams/"
        )
    names = [each.name for each in (*SETS, *CHATS)]
    for name in options.without:
        if name not in names:
            raise InputError(
                f"there is no set {name} to leave out: choose from {', '.join(names)}"
            )
    for base in filter(None, (options.base, options.teacher_base)):
        for file in _OF_A_BASE:
            if not (base / file).is_file():
                raise InputError(
                    f"{base / file} is not there: name a folder with the weights of a "
                    "transformers model and its tokenizer (see docs/training.md)"
                )


def keep(options: Options, output: Path) -> None:
    """Write the options down, or see that they are those of what is there already.

    Raises:
        InputError: they are not, or nothing can be written there.
    """
    path = output / _KEPT
    wanted = msgspec.json.format(msgspec.json.encode(options, enc_hook=str))
    if not path.is_file():
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{output} cannot be made ({error.strerror}): choose another folder"
            ) from error
        write_whole(path, wanted)
    elif path.read_bytes() != wanted:
        raise InputError(
            f"{output} holds a training with other options ({path} names them): give "
            "the same, or another folder"
        )
