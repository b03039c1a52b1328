"""What the encoder's heads mean: which of them speak for a label, and how surely.

models/encoder/scales.toml holds the numbers, fitted on texts that the encoder was not
trained on, where there are any; docs/tagging.md says which.
"""

from pathlib import Path

import msgspec

from pipeline.records import Probability
from pipeline.tagging.calibration import logistic
from pipeline.tagging.encoder import Floats

ANY = "any"
"""Stands for every platform that a task has no scales of its own for."""

_SAME = {"gitlab": "github", "stackoverflow": "stackexchange", "mastodon": "twitter"}


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which outputs speak for a label, their mean counting, and its scale."""

    outputs: tuple[int, ...]
    slope: float
    bias: float
    threshold: Probability

    def logit(self, said: Floats) -> float:
        """The mean of the label's outputs, of what all heads said."""
        return float(said[list(self.outputs)].mean())

    def probability(self, said: Floats) -> float:
        """How likely the label is, given what all heads said."""
        return logistic(self.slope * self.logit(said) + self.bias)


class Scales(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All the numbers: task, platform, label."""

    heads: dict[str, dict[str, dict[str, Head]]]

    def on(self, platform: str) -> dict[tuple[str, str], Head]:
        """Of each task and label the head that judges texts of `platform`."""
        name = _SAME.get(platform, platform)
        return {
            (task, label): head
            for task, platforms in self.heads.items()
            for label, head in (platforms[ANY] | platforms.get(name, {})).items()
        }


def load_scales(folder: Path) -> Scales:
    """The numbers that belong to the model in `folder`."""
    return msgspec.toml.decode((folder / "scales.toml").read_bytes(), type=Scales)
