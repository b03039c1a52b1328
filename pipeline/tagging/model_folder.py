"""The folder of an encoder and its heads: the package's, or one that a user trained."""

import hashlib
from pathlib import Path
from typing import NamedTuple, Self

from pipeline.errors import ConfigError
from pipeline.tagging.cascade import Cascade
from pipeline.tagging.cause_spans import CauseFinder
from pipeline.tagging.encoder import SHIPPED, load_encoder

NAME = "encoder-1"
"""Signs the marks of the package's models."""

_NEEDED = (
    "lower.onnx.gz",
    "upper.onnx.gz",
    "tokenizer.json",
    "emotions.npz",
    "emotions.toml",
)
_DIGITS = 8
_WEIGHTS = frozenset({".gz", ".json", ".npz", ".toml", ".weights"})
_TRIAL = ("Somebody reads this to see whether everything fits.", "")
_LONGEST_REASON = 200


class ModelFolder(NamedTuple):
    """What a folder holds: `causes` finds causes, where there is such.

    `name` is what the marks are signed with.
    """

    name: str
    cascade: Cascade
    causes: CauseFinder | None

    @classmethod
    def load(cls, folder: Path, tier: str, threads: int) -> Self:
        """The models in a folder, those of a user tried on a text.

        Raises:
            ConfigError: a user's folder holds no such models, or parts that do not fit.
        """
        if folder == SHIPPED:
            return cls._held(folder, tier, threads)
        try:
            _complete(folder)
            held = cls._held(folder, tier, threads)
            held.fit_together()
        except Exception as error:  # tokenizers and onnxruntime raise nothing narrower
            reason = str(error).partition("\n")[0][:_LONGEST_REASON]
            raise ConfigError(
                f"[tagging] model: {folder} cannot be used ({reason}): name the folder "
                "OUT/model that `groundswell train` wrote, with all that is in it"
            ) from error
        return held

    @classmethod
    def _held(cls, folder: Path, tier: str, threads: int) -> Self:
        cascade = Cascade(load_encoder(folder, threads), folder, tier)
        return cls(name_of(folder), cascade, CauseFinder.load(folder))

    def fit_together(self) -> None:
        """Read a text by every step.

        Raises:
            ValueError: some states are not as wide as others expect.
        """
        self.cascade.read([_TRIAL])
        (read,) = self.cascade.read([_TRIAL], wholly=True)
        width = read.reading().states.shape[1]
        if self.causes is not None and self.causes.width != width:
            wide = f"{self.causes.width} numbers, not of {width}"
            raise ValueError(f"spans.npz is for states of {wide}")


def _complete(folder: Path) -> None:
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if missing:
        raise ValueError(f"{', '.join(missing)} missing")


def faults_of(folder: Path) -> list[str]:
    """What keeps a user's folder from being used."""
    try:
        ModelFolder.load(folder, "balanced", 1)
    except ConfigError as error:
        return [str(error)]
    return []


def name_of(folder: Path) -> str:
    """`NAME` for the package's models, else a digest of the files."""
    if folder == SHIPPED:
        return NAME
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in _WEIGHTS:
            digest.update(path.name.encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"encoder-{digest.hexdigest()[:_DIGITS]}"
