"""Linear heads on an encoder's states, kept apart from it: NAME.npz beside NAME.toml.

A head's logit of a text is linear in the text's pooled state, which is a mean over
tokens: what a token adds is the same head on the token's own state.
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from pipeline.records import Probability
from pipeline.tagging.encoder import Floats

Doubles = npt.NDArray[np.float64]

ANY = "any"
"""Stands for every platform that a task has no scales of its own for."""

NO_HEADS = frozenset({"cascade", "spans"})
"""Such pairs of files that hold something else: of `cascade` and of `cause_spans`."""

FELT = ("felt", "felt")
"""Whether a text shows any feeling at all: no label of ours. A platform may have it.

Its basic emotions are then judged by people who were given texts that nearly all show
some. What their heads say is how likely an emotion is if there is any.
"""

GOVERNED = "basic-emotion"
"""The task whose scores are so corrected."""

_SAME = {"gitlab": "github", "stackoverflow": "stackexchange", "mastodon": "twitter"}


class Scale(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which outputs speak for a label, their mean counting, and what it means."""

    outputs: tuple[int, ...]
    slope: float
    bias: float
    threshold: Probability


class Scales(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a .toml file holds: task, platform, label."""

    heads: dict[str, dict[str, dict[str, Scale]]]

    def on(self, platform: str) -> dict[tuple[str, str], Scale]:
        """Of each task and label the scale for texts of `platform`."""
        name = _SAME.get(platform, platform)
        return {
            (task, label): scale
            for task, platforms in self.heads.items()
            for label, scale in (
                platforms.get(ANY, {}) | platforms.get(name, {})
            ).items()
        }


class Outputs(NamedTuple):
    """What a .npz file holds: `weight`, outputs x width, and `bias`."""

    weight: Floats
    bias: Floats

    def logits(self, pooled: Floats) -> Floats:
        """One number an output, of a text's pooled state."""
        logits: Floats = self.weight @ pooled + self.bias
        return logits


class Heads(NamedTuple):
    """The heads that judge texts of one platform, one a label, in the same order.

    `weight` is labels x width; the others have one number a label.
    """

    keys: list[tuple[str, str]]
    weight: Floats
    bias: Doubles
    slopes: Doubles
    offsets: Doubles
    thresholds: Doubles

    def scores(self, pooled: Floats) -> Doubles:
        """How likely each label is, given a text's pooled state."""
        return self.likely(
            self.slopes * (self.weight @ pooled + self.bias) + self.offsets
        )

    def likely(self, logits: Doubles) -> Doubles:
        """How likely each label is, given the logits of all; see `FELT`."""
        scores: Doubles = (1 + np.tanh(logits / 2)) / 2
        if FELT in self.keys:
            governed = [task == GOVERNED for task, _ in self.keys]
            scores[governed] *= scores[self.keys.index(FELT)]
        return scores


def load_outputs(path: Path) -> Outputs:
    """What a .npz file holds, in single precision."""
    with path.open("rb") as file, np.load(file) as held:
        return Outputs(*(held[name].astype(np.float32) for name in Outputs._fields))


def load_scales(path: Path) -> Scales:
    """What a .toml file holds."""
    return msgspec.toml.decode(path.read_bytes(), type=Scales)


@lru_cache(maxsize=32)
def load_heads(folder: Path, platform: str) -> Heads:
    """The heads of every pair of files in `folder`, for texts of `platform`.

    Of two files that judge the same label the later one does, by their names.
    """
    paths = sorted(path for path in folder.glob("*.npz") if path.stem not in NO_HEADS)
    return heads_of(
        [
            (load_outputs(path), load_scales(path.with_suffix(".toml")))
            for path in paths
        ],
        platform,
    )


def heads_of(files: Iterable[tuple[Outputs, Scales]], platform: str) -> Heads:
    """The heads that outputs make by their scales; of two for a label the later."""
    weights: dict[tuple[str, str], Floats] = {}
    scalars: dict[tuple[str, str], tuple[float, ...]] = {}
    for outputs, scales in files:
        for key, scale in scales.on(platform).items():
            chosen = list(scale.outputs)
            bias = outputs.bias[chosen].mean()
            weights[key] = outputs.weight[chosen].mean(axis=0)
            scalars[key] = (bias, scale.slope, scale.bias, scale.threshold)
    numbers = np.array(list(scalars.values()), dtype=np.float64)
    return Heads(list(weights), np.stack(list(weights.values())), *numbers.T)
