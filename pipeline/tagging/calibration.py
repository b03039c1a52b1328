"""What the sum of a label's weights means: a probability, and from where it counts.

lexicons/calibration.toml holds the numbers. Those of emotions are fitted, those of
causes and markers set by hand; docs/tagging.md says on what.
"""

import math
from importlib.resources import files

import msgspec

from pipeline.records import Probability


class Scale(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From a sum of weights to a probability, and the probability that is flagged."""

    slope: float
    bias: float
    threshold: Probability

    def probability(self, total: float) -> float:
        """How likely the label is, given the sum of its weights."""
        return logistic(self.slope * total + self.bias)


class CauseScale(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How likely a named cause is one that someone suffers from.

    `trouble` is added where words of trouble stand beside it, `negative_near` where a
    negative emotion does, `negative_far` where one is elsewhere in the text.
    """

    bias: float
    trouble: float
    negative_near: float
    negative_far: float
    threshold: Probability


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All the numbers: `scales` by task and label, and those of causes."""

    scales: dict[str, dict[str, Scale]]
    cause: CauseScale


def logistic(logit: float) -> float:
    """The probability of a logit, of whatever size."""
    if logit < 0:
        odds = math.exp(max(logit, -700.0))
        return odds / (1 + odds)
    return 1 / (1 + math.exp(-min(logit, 700.0)))


def load_calibration() -> Calibration:
    """The shipped numbers."""
    path = files("pipeline.tagging").joinpath("lexicons", "calibration.toml")
    return msgspec.toml.decode(path.read_bytes(), type=Calibration)
