"""Linear heads by logistic regression, and how good they are on texts unseen."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from pipeline.tagging.calibration import Scale
from pipeline.tagging.fit_lexicon import calibration_error, rates
from pipeline.training.calibrate import fit as fit_scale

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

FOLDS = 5
_FARTHEST = 30.0
_STEPS = 200
_NEVER_NAUGHT = 1e-6


class Head(NamedTuple):
    """Linear in a pooled state: `weight`, labels x width, and `bias`."""

    weight: Floats
    bias: Floats

    def logits(self, states: Floats) -> Floats:
        """Texts x labels."""
        found: Floats = states @ self.weight.T + self.bias
        return found

    def only(self, row: int) -> "Head":
        """That of one label."""
        return Head(self.weight[row : row + 1], self.bias[row : row + 1])

    @classmethod
    def of(cls, heads: Sequence["Head"]) -> Self:
        """All labels of several, one after the other."""
        return cls(*map(np.concatenate, zip(*heads, strict=True)))

    def save(self, path: Path) -> None:
        """Write an .npz file as `pipeline.tagging.heads` reads it, weights halved."""
        weight, bias = self.weight.astype(np.float16), self.bias.astype(np.float32)
        np.savez(path, weight=weight, bias=bias)


class Figures(NamedTuple):
    """How good a label's head and scale are on texts that neither was fitted on."""

    texts: int
    f1: float
    precision: float
    recall: float
    calibration_error: float


def fit(states: Floats, truth: Floats, counts: Floats, held: float) -> Head:
    """The likeliest heads of several labels at once, each small.

    Args:
        states: texts x width.
        truth: texts x labels, from 0 to 1.
        counts: how much each text counts.
        held: how strongly weights are held to 0.
    """
    texts = states.astype(np.float32)
    width, labels = states.shape[1], truth.shape[1]

    def loss(parameters: Floats) -> tuple[float, Floats]:
        table = parameters.reshape(labels, width + 1)
        weight, bias = table[:, :width], table[:, width]
        logits = (texts @ weight.T.astype(np.float32)).astype(np.float64) + bias
        cost = counts @ (np.logaddexp(0, logits) - truth * logits)
        residual = counts[:, np.newaxis] * (_logistic(logits) - truth)
        slope = (residual.T.astype(np.float32) @ texts).astype(np.float64)
        gradient = np.column_stack([slope + held * weight, residual.sum(axis=0)])
        return float(cost.sum() + held / 2 * (weight**2).sum()), gradient.ravel()

    start = np.zeros(labels * (width + 1))
    options = {"maxiter": _STEPS}
    result = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    table = np.asarray(result.x).reshape(labels, width + 1)
    return Head(table[:, :width], table[:, width])


def fit_spread(states: Floats, truth: Floats, counts: Floats, held: float) -> Head:
    """The same, but weights are held to 0 as if all columns were spread alike."""
    mean, spread = states.mean(axis=0), states.std(axis=0) + _NEVER_NAUGHT
    head = fit((states - mean) / spread, truth, counts, held)
    weight = head.weight / spread
    return Head(weight, head.bias - weight @ mean)


def unseen_logits(states: Floats, truth: Floats, counts: Floats, held: float) -> Floats:
    """What heads say of each text that were fitted on the other four fifths."""
    logits = np.zeros_like(truth)
    for out in folds(len(states)):
        head = fit(states[~out], truth[~out], counts[~out], held)
        logits[out] = head.logits(states[out])
    return logits


def fit_careful(logits: Floats, truth: Bools, least: float = 0.0) -> Scale:
    """One label's scale; its threshold is the best for F1, or `least` if higher."""
    scale = fit_scale(logits, truth)
    return msgspec.structs.replace(scale, threshold=max(scale.threshold, least))


def unseen_scores(
    logits: Floats, truth: Bools, least: float = 0.0
) -> tuple[Floats, Bools]:
    """Of one label, what scales say that were fitted on other texts, and the flags."""
    scores, flagged = np.zeros_like(logits), np.zeros_like(truth)
    for out in folds(len(logits)):
        scale = fit_careful(logits[~out], truth[~out], least)
        scores[out] = probabilities(scale, logits[out])
        flagged[out] = scores[out] >= scale.threshold
    return scores, flagged


def figures(scores: Floats, flagged: Bools, truth: Bools) -> Figures:
    """How good scores and flags are."""
    error = calibration_error(scores, truth)
    return Figures(int(truth.sum()), *rates(flagged, truth), error)


def probabilities(scale: Scale, logits: Floats) -> Floats:
    """What a scale makes of logits."""
    return _logistic(scale.slope * logits + scale.bias)


def folds(count: int) -> Iterator[Bools]:
    """Which of so many texts stand out in each of the folds."""
    number = np.arange(count) % FOLDS
    for fold in range(FOLDS):
        yield number == fold


def _logistic(logits: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-np.clip(logits, -_FARTHEST, _FARTHEST)))
