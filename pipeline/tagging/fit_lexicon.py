"""Fit the word lists: python -m pipeline.tagging.fit_lexicon DATA [FOLDER].

Rewrites the weights of the emotions' lists and calibration.toml in FOLDER, by default
those that ship, and prints how good they are. The same data give the same files.

A label's weights are those of a logistic regression that prefers what the lists'
authors thought. Its scale and threshold come from other texts than its weights, and
the printed figures from cross-validation of the two.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_array

from pipeline.tagging import corpora
from pipeline.tagging.calibration import Calibration, Scale, load_calibration
from pipeline.tagging.corpora import Corpus
from pipeline.tagging.lexicon import Lexicon
from pipeline.tagging.lexicon_tagger import ALMOST_ONE, NEUTRAL, shipped_lexicon
from pipeline.tagging.wordlists import Entry, format_entries, load_entries

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SHIPPED = Path(__file__).parent / "lexicons"
FOLDS = 5
CAUTION = 5.0
"""How strongly a weight is held to what its author thought."""

EASE = 50.0
"""How strongly a slope is held to 1, at which the weights mean what they say."""

MAX_WEIGHT = 5.0
THRESHOLDS = np.arange(0.2, 0.601, 0.01)
"""Less likely marks are no findings, whatever they do for F1."""

_BINS = np.linspace(0.0, 1.0, 11)


class Found(NamedTuple):
    """A corpus as numbers: texts x features, 1 where a feature is found."""

    corpus: Corpus
    features: csr_array

    def truth(self, label: str) -> Bools:
        """Which texts people gave the label."""
        return np.array([label in given for given in self.corpus.labels])


class Figures(NamedTuple):
    """How good a label's scale is on texts that it was not fitted on."""

    label: str
    texts: int
    f1: float
    precision: float
    recall: float
    calibration_error: float


def read(lexicon: Lexicon, features: int, corpus: Corpus) -> Found:
    """What the lexicon, of so many features, finds in a corpus."""
    places = [lexicon.read(text).places for text in corpus.texts]
    columns = [feature for found in places for feature in found]
    rows = np.repeat(np.arange(len(places)), [len(found) for found in places])
    shape = (len(places), features)
    return Found(corpus, csr_array((np.ones(len(rows)), (rows, columns)), shape=shape))


def fit_weights(
    found: Sequence[csr_array], truths: Sequence[Bools], prior: Floats
) -> Floats:
    """The likeliest weights, each corpus having a base rate of its own.

    Args:
        found: of each corpus, texts x entries.
        truths: of each corpus, which texts have the label.
        prior: what each entry was thought to weigh.
    """
    entries = len(prior)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        weights, biases = np.split(parameters, [entries])
        gradient = np.zeros_like(parameters)
        gradient[:entries] = CAUTION * (weights - prior)
        cost = CAUTION / 2 * float(np.sum((weights - prior) ** 2))
        for number, (matrix, truth) in enumerate(zip(found, truths, strict=True)):
            logits = matrix @ weights + biases[number]
            cost += float(np.sum(np.logaddexp(0, logits) - truth * logits))
            residual = _logistic(logits) - truth
            gradient[:entries] += matrix.T @ residual
            gradient[entries + number] = residual.sum()
        return cost, gradient

    start = np.concatenate([prior, np.full(len(found), -3.0)])
    bounds = [(0.0, MAX_WEIGHT)] * entries + [(None, None)] * len(found)
    result = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(result.x[:entries])


def fit_scale(totals: Floats, truth: Bools) -> Scale:
    """From sums of weights to probabilities, and the threshold of the best F1.

    Args:
        totals: of each text, NaN where no entry was found.
        truth: which texts have the label.
    """
    spoken = ~np.isnan(totals)
    said, true = totals[spoken], truth[spoken]

    def loss(parameters: Floats) -> tuple[float, Floats]:
        slope, bias = parameters
        logits = slope * said + bias
        residual = _logistic(logits) - true
        cost = float(np.sum(np.logaddexp(0, logits) - true * logits))
        gradient = np.array([residual @ said + EASE * (slope - 1.0), residual.sum()])
        return cost + EASE * (slope - 1.0) ** 2 / 2, gradient

    bounds = [(0.05, 5.0), (-12.0, 12.0)]
    result = minimize(
        loss, np.array([1.0, -3.0]), jac=True, method="L-BFGS-B", bounds=bounds
    )
    slope, bias = (round(float(number), 3) for number in result.x)
    scores = _scores(Scale(slope, bias, 0.5), totals)
    f1 = [rates(scores >= threshold, truth)[0] for threshold in THRESHOLDS]
    return Scale(slope, bias, round(float(THRESHOLDS[int(np.argmax(f1))]), 2))


def cross_validate(label: str, totals: Floats, truth: Bools) -> Figures:
    """How good `fit_scale` is on texts that it has not seen."""
    scores = np.zeros(len(truth))
    flagged = np.zeros(len(truth), dtype=bool)
    fold = np.arange(len(truth)) % FOLDS
    for number in range(FOLDS):
        held_out = fold == number
        scale = fit_scale(totals[~held_out], truth[~held_out])
        scores[held_out] = _scores(scale, totals[held_out])
        flagged[held_out] = scores[held_out] >= scale.threshold
    error = calibration_error(scores[scores > 0], truth[scores > 0])
    return Figures(label, int(truth.sum()), *rates(flagged, truth), error)


def calibration_error(scores: Floats, truth: Bools) -> float:
    """Expected calibration error in ten bins: |stated - true|, mean over scores."""
    bins = np.clip(np.digitize(scores, _BINS) - 1, 0, len(_BINS) - 2)
    gaps = [
        (bins == number).sum()
        * abs(scores[bins == number].mean() - truth[bins == number].mean())
        for number in np.unique(bins)
    ]
    return float(sum(gaps) / max(len(scores), 1))


class Task:
    """One task's lists, fitted label by label.

    Args:
        name: the task.
        weighed: what its weights are fitted on.
        scaled: what its scales are fitted on; a label that none of these knows is
            scaled on what it was weighed on. One that no corpus knows stays as it is.
    """

    def __init__(
        self, name: str, weighed: Sequence[Found], scaled: Sequence[Found]
    ) -> None:
        _, features = shipped_lexicon()
        self.name = name
        self._weighed, self._scaled = weighed, scaled
        self._entries = load_entries(name)
        self._first = next(n for n, f in enumerate(features) if f.task == name)
        self.weights = np.array([entry.prior for entry in self._entries])
        self.scales = dict(load_calibration().scales[name])
        self.figures: list[Figures] = []

    def fit(self) -> None:
        """Fit every label of the lists."""
        for label in sorted({entry.label for entry in self._entries}):
            own = np.array([entry.label == label for entry in self._entries])
            columns = self._first + np.flatnonzero(own)
            known = [f for f in self._weighed if label in f.corpus.known]
            if not known:
                continue
            self.weights[own] = fit_weights(
                [found.features[:, columns] for found in known],
                [found.truth(label) for found in known],
                self.weights[own],
            ).round(2)
            scaled = [f for f in self._scaled if label in f.corpus.known] or known
            totals = np.concatenate(
                [_totals(f.features[:, columns], self.weights[own]) for f in scaled]
            )
            truth = np.concatenate([found.truth(label) for found in scaled])
            self.scales[label] = fit_scale(totals, truth)
            self.figures.append(cross_validate(label, totals, truth))

    def weighted(self) -> list[Entry]:
        """The lists with their fitted weights."""
        return [
            entry._replace(weight=float(weight))
            for entry, weight in zip(self._entries, self.weights, strict=True)
        ]

    def totals(self, found: Found, label: str) -> Floats:
        """Of each text the sum of its weights for a label, NaN where it has none."""
        own = np.array([entry.label == label for entry in self._entries])
        columns = self._first + np.flatnonzero(own)
        return _totals(found.features[:, columns], self.weights[own])


def fit_neutral(fine: Task, found: Found) -> None:
    """Add the scale of `neutral`, which is likelier the less likely all others are."""
    scores = [
        _scores(scale, fine.totals(found, label))
        for label, scale in fine.scales.items()
        if label in found.corpus.known
    ]
    none = np.log1p(-np.minimum(np.array(scores), ALMOST_ONE)).sum(axis=0)
    truth = found.truth(NEUTRAL)
    fine.scales[NEUTRAL] = fit_scale(none, truth)
    fine.figures.append(cross_validate(NEUTRAL, none, truth))


def fit(data: Path) -> tuple[Task, Task]:
    """The fitted basic and fine emotions."""
    lexicon, features = shipped_lexicon()

    def found(corpus: Corpus) -> Found:
        return read(lexicon, len(features), corpus)

    train, dev = (corpora.goemotions(data, part) for part in ("train", "dev"))
    basic = Task(
        "basic-emotion",
        [
            found(corpora.basic(train)),
            found(corpora.xed(data)),
            found(corpora.brighter(data, "train")),
        ],
        [found(corpora.github(data)), found(corpora.stack_overflow(data))],
    )
    seen = found(dev)
    fine = Task("fine-emotion", [found(train)], [seen])
    basic.fit()
    fine.fit()
    fit_neutral(fine, seen)
    return basic, fine


def write(tasks: Iterable[Task], folder: Path) -> None:
    """The lists with their weights, and the numbers that go with them."""
    shipped = load_calibration()
    scales = dict(shipped.scales)
    for task in tasks:
        lists = folder / f"{task.name}.tsv"
        lists.write_text(format_entries(task.weighted()), encoding="utf-8")
        scales[task.name] = task.scales
    calibration = msgspec.structs.replace(shipped, scales=scales)
    path = folder / "calibration.toml"
    path.write_text(_toml(calibration), encoding="utf-8")


def report(task: Task) -> str:
    """The figures of a task, one label a line."""
    rows = [
        f"{f.label:16} {f.texts:6} {f.f1:6.3f} {f.precision:9.3f} {f.recall:6.3f} "
        f"{f.calibration_error:6.3f}"
        for f in task.figures
    ]
    header = f"{task.name:16}  texts     F1 precision recall    ECE"
    return "\n".join([header, *rows, ""])


def main(arguments: Sequence[str]) -> None:
    """Fit, write and report."""
    data, folder = (*map(Path, arguments), SHIPPED)[:2]
    tasks = fit(data)
    write(tasks, folder)
    sys.stdout.write("\n".join(map(report, tasks)))


def _toml(calibration: Calibration) -> str:
    lines = [
        "# Emotions: fitted by pipeline/tagging/fit_lexicon.py. The rest: by hand."
    ]
    for task, scales in calibration.scales.items():
        lines += ["", f"[scales.{task}]"]
        lines += [
            f"{label} = {{ slope = {scale.slope}, bias = {scale.bias}, "
            f"threshold = {scale.threshold} }}"
            for label, scale in scales.items()
        ]
    cause = msgspec.structs.asdict(calibration.cause)
    lines += ["", "[cause]", *(f"{key} = {value}" for key, value in cause.items()), ""]
    return "\n".join(lines)


def _totals(matrix: csr_array, weights: Floats) -> Floats:
    totals = np.asarray(matrix @ weights, dtype=np.float64)
    totals[matrix.sum(axis=1) == 0] = np.nan
    return totals


def _scores(scale: Scale, totals: Floats) -> Floats:
    return np.nan_to_num(_logistic(scale.slope * totals + scale.bias))


def _logistic(logits: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-np.clip(logits, -700, 700)))


def rates(flagged: Bools, truth: Bools) -> tuple[float, float, float]:
    """F1, precision and recall."""
    hits = float((flagged & truth).sum())
    said, true = float(flagged.sum()), float(truth.sum())
    f1 = 2 * hits / (said + true) if said + true else 0.0
    return f1, hits / said if said else 0.0, hits / true if true else 0.0


if __name__ == "__main__":
    main(sys.argv[1:])
