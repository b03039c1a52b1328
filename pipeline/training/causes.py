"""Fit the model of cause spans: python -m pipeline.training.causes DATA [MODEL].

DATA is a folder that holds cause/se_cause_dev.csv as its authors publish it. Writes
spans.npz and spans.toml in MODEL, the folder of the encoder that they listen to, by
default the package's, and prints how good they are in 5 x 5-fold cross-validation. The
same data give the same files.
"""

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from tqdm import tqdm

from pipeline.tagging.calibration import Scale
from pipeline.tagging.cause_features import (
    HEADS,
    Candidates,
    WordFeatures,
    candidates,
    word_features,
)
from pipeline.tagging.cause_model import (
    FILE,
    SpanModel,
    Weights,
    best_answer,
    overlap,
)
from pipeline.tagging.cause_words import Prose, average, read_prose
from pipeline.tagging.encoder import SHIPPED, Encoder, Floats, Reading
from pipeline.tagging.fit_lexicon import fit_scale
from pipeline.tagging.heads import load_heads

Doubles = npt.NDArray[np.float64]

CAUTION = 0.01
"""How strongly the weights of words are drawn to 0, once scaled; ..."""

RUN_CAUTION = 0.001
"""... and those of runs of words."""

SHARPNESS = 20.0
"""How much likelier a run is taken to be marked the more it overlaps with the mark."""

GAIN = 5.0
"""What a point of expected overlap counts against one of log-likelihood."""

LEAST_SPREAD = 0.25
"""A feature that hardly ever differs is not scaled up beyond four times."""

ROUNDS = 80
FOLDS, REPEATS = 5, 5
CLOSE = 0.5
"""From this token F1 on an answer is right, as to the score of a mark."""

FLAGGED_FROM = 0.25
"""How likely a span must be right to be shown; a rough one serves readers, too."""

_EPSILON = 0.1


class Comment(NamedTuple):
    """A text with the span that an annotator marked."""

    text: str
    marked: str


class Studied(NamedTuple):
    """A comment as words and candidates, each with its overlap with the mark.

    The overlaps are guessed as `overlap` does: fast, and near enough to learn from.
    """

    comment: Comment
    prose: Prose
    reading: Reading
    found: Candidates
    overlaps: Doubles


class Table(NamedTuple):
    """Features of many comments, and of each candidate its overlap with the mark.

    `words` are for all words of all comments one after the other, `found` likewise,
    with words counted through; `starts` is the first candidate of each comment, and
    one more for the end.
    """

    words: WordFeatures
    found: Candidates
    overlaps: Doubles
    starts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, studied: Sequence[Studied], directions: Floats, origin: Floats) -> Self:
        """The features of comments, by a model's directions and origin."""
        features, found, before = [], [], 0
        for one in studied:
            by_token = one.reading.states @ directions + origin
            spoken = average(one.prose, one.reading, by_token)
            features.append(word_features(one.prose, spoken))
            first, last, runs = one.found
            found.append(Candidates(first + before, last + before, runs))
            before += len(one.prose.words)
        sizes = [len(one.overlaps) for one in studied]
        return cls(
            WordFeatures(*map(np.vstack, zip(*features, strict=True))),
            Candidates(
                np.concatenate([one.first for one in found]),
                np.concatenate([one.last for one in found]),
                np.vstack([one.features for one in found]),
            ),
            np.concatenate([one.overlaps for one in studied]),
            np.cumsum([0, *sizes]),
        )


class Figures(NamedTuple):
    """Means over comments, as in ../shared/score: higher is better."""

    characters: float
    words: float
    f1: float


def read_comments(data: Path) -> list[Comment]:
    """The annotated comments that have a marked span."""
    path = data / "cause" / "se_cause_dev.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [Comment(r["comment"], r["cause_span"]) for r in csv.DictReader(file)]
    return [comment for comment in rows if comment.marked.strip()]


def study(comments: Sequence[Comment], encoder: Encoder) -> list[Studied]:
    """Reads comments; those without words are left out."""
    studied = []
    for comment in tqdm(comments, disable=None):
        reading = encoder.read(comment.text)
        prose = read_prose(comment.text, reading)
        if not prose.words:
            continue
        found = candidates(prose)
        nearest = _nearest(comment, prose, found)
        marked = found.first[[nearest]], found.last[[nearest]]
        overlaps = overlap(prose, (found.first, found.last), marked).astype(np.float64)
        studied.append(Studied(comment, prose, reading, found, overlaps))
    return studied


def _nearest(comment: Comment, prose: Prose, found: Candidates) -> int:
    """The candidate that shares most words with what is marked; not all is verbatim."""
    want = Counter(_normal(comment.marked))
    kept = [Counter(_normal(word)) for word in prose.words]
    best, most, got = 0, -1.0, Counter[str]()
    for number, (first, last) in enumerate(
        zip(found.first.tolist(), found.last.tolist(), strict=True)
    ):
        got = kept[last] if first == last else got + kept[last]
        share = 2 * (got & want).total() / (got.total() + want.total())
        if share > most:
            best, most = number, share
    return best


def measure(marked: str, said: str) -> Figures:
    """What two spans have in common, words not stemmed."""
    want, got = _normal(marked), _normal(said)
    common = sum((Counter(want) & Counter(got)).values())
    return Figures(
        _bleu(" ".join(want), " ".join(got)),
        _bleu(want, got),
        2 * common / max(1, len(want) + len(got)),
    )


def _normal(text: str) -> list[str]:
    kept = (sign if sign.isalnum() or sign in "_'" else " " for sign in text.lower())
    return "".join(kept).split()


def _bleu(want: Sequence[str], got: Sequence[str]) -> float:
    """BLEU of up to two in a row, as nltk's with `SmoothingFunction().method1`."""
    if not got:
        return 0.0
    single = sum((Counter(want) & Counter(got)).values()) / len(got)
    pairs = Counter(pairwise(got))
    common = sum((pairs & Counter(pairwise(want))).values())
    double = (common or _EPSILON) / max(1, len(got) - 1)
    brevity = min(1.0, float(np.exp(1 - len(want) / len(got))))
    return float(np.sqrt(single * double)) * brevity


def find_directions(model: Path, said: int) -> tuple[Floats, Floats]:
    """The encoder's heads for comments on GitHub, as of `SpanModel`.

    What words say by themselves is left out: a word tells little of a cause where its
    company does not count, and with it answers were a point worse.

    Args:
        model: the encoder's folder.
        said: last columns of a state, which are the words' own.
    """
    heads = load_heads(model, "github")
    rows = [heads.keys.index(key) for key in HEADS]
    directions = heads.weight[rows].T.astype(np.float16).astype(np.float32)
    directions[len(directions) - said :] = 0
    return directions, heads.bias[rows].astype(np.float32)


class _Scaled(NamedTuple):
    """Features divided by their spread, and the spread."""

    features: list[Doubles]
    spreads: list[Doubles]


def _scale(table: Table) -> _Scaled:
    every = [*table.words, table.found.features]
    spreads = [np.maximum(f.std(axis=0), LEAST_SPREAD) for f in every[:3]]
    spreads.append(np.ones(every[3].shape[1]))
    scaled = [f.astype(np.float64) / s for f, s in zip(every, spreads, strict=True)]
    return _Scaled(scaled, [spread.astype(np.float64) for spread in spreads])


def fit(table: Table, scaled: _Scaled, chosen: npt.NDArray[np.int64]) -> Weights:
    """The weights that give the likeliest and best answers for some comments.

    Args:
        table: all comments.
        scaled: their features.
        chosen: numbers of the comments to fit.
    """
    first, last, inside, runs = scaled.features
    kept = np.concatenate([np.arange(*table.starts[n : n + 2]) for n in chosen])
    sizes = np.diff(table.starts)[chosen]
    starts = np.cumsum(sizes) - sizes
    begin, end = table.found.first[kept], table.found.last[kept]
    share = 1 / (end - begin + 1)
    runs, gain = runs[kept], table.overlaps[kept]
    marked = _softmax(gain * SHARPNESS, starts, sizes)
    widths = [f.shape[1] for f in scaled.features]
    caution = np.repeat([CAUTION, CAUTION, CAUTION, RUN_CAUTION], widths)
    count = len(first)

    def loss(weights: Doubles) -> tuple[float, Doubles]:
        of_first, of_last, of_inside, of_runs = _split(weights, widths)
        sums = np.concatenate([[0], np.cumsum(inside @ of_inside)])
        scores = (
            (first @ of_first)[begin]
            + (last @ of_last)[end]
            + (sums[end + 1] - sums[begin]) * share
            + runs @ of_runs
        )
        said = _softmax(scores, starts, sizes)
        expected = np.repeat(np.add.reduceat(said * gain, starts), sizes)
        slope = (said - marked - GAIN * said * (gain - expected)) / (2 * len(chosen))
        value = -(marked * np.log(said + 1e-300)).sum() - GAIN * (said * gain).sum()
        shares = slope * share
        of_words = np.bincount(begin, shares, count + 1)
        of_words -= np.bincount(end + 1, shares, count + 1)
        gradient = np.concatenate(
            [
                first.T @ np.bincount(begin, slope, count),
                last.T @ np.bincount(end, slope, count),
                inside.T @ np.cumsum(of_words)[:count],
                runs.T @ slope,
            ]
        )
        held = caution * weights
        return value / (2 * len(chosen)) + held @ weights, gradient + 2 * held

    found = minimize(
        loss,
        np.zeros(sum(widths)),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": ROUNDS},
    )
    parts = zip(_split(found.x, widths), scaled.spreads, strict=True)
    return Weights(*((part / spread).astype(np.float32) for part, spread in parts))


def _split(weights: Doubles, widths: Sequence[int]) -> list[Doubles]:
    return np.split(weights, np.cumsum(widths)[:-1])


def _softmax(
    scores: Doubles, starts: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]
) -> Doubles:
    """Probabilities of candidates, those of each comment summing up to 1."""
    raised = np.exp(scores - np.repeat(np.maximum.reduceat(scores, starts), sizes))
    shares: Doubles = raised / np.repeat(np.add.reduceat(raised, starts), sizes)
    return shares


class Foretold(NamedTuple):
    """Answers by models that had not seen the comment: overlap expected, and found.

    `expected` is repeats x comments, `found` has 3 columns more, the `Figures` of each.
    """

    expected: Doubles
    found: Doubles


def cross_validate(studied: Sequence[Studied], table: Table) -> Foretold:
    """Of every comment the answer of a model fitted on the other folds."""
    scaled = _scale(table)
    count = len(studied)
    expected = np.zeros((REPEATS, count))
    found = np.zeros((REPEATS, count, 3))
    rounds = [(repeat, fold) for repeat in range(REPEATS) for fold in range(FOLDS)]
    for repeat, fold in tqdm(rounds, disable=None):
        order = np.random.default_rng(repeat).permutation(count)
        out = np.arange(count) % FOLDS == fold
        weights = fit(table, scaled, np.sort(order[~out]))
        for n in order[out]:
            scores = weights.scores(*_part(table, n))
            answer = best_answer(studied[n].prose, studied[n].found, scores)
            expected[repeat, n] = answer.overlap
            text, marked = studied[n].comment
            found[repeat, n] = measure(marked, text[slice(*answer.place)])
    return Foretold(expected, found)


def _part(table: Table, number: int) -> tuple[WordFeatures, Candidates]:
    """The features of one comment."""
    chosen = slice(*table.starts[number : number + 2])
    first, last = table.found.first[chosen], table.found.last[chosen]
    words = slice(first.min(), last.max() + 1)
    features = WordFeatures(*(part[words] for part in table.words))
    runs = table.found.features[chosen]
    return features, Candidates(first - words.start, last - words.start, runs)


def fit_score(foretold: Foretold) -> Scale:
    """From the overlap expected of an answer to how likely it is right."""
    expected = np.clip(foretold.expected.ravel(), 0.01, 0.99)
    right = foretold.found[..., 2].ravel() >= CLOSE
    fitted = fit_scale(np.log(expected / (1 - expected)), right)
    return Scale(fitted.slope, fitted.bias, FLAGGED_FROM)


def report(comments: Sequence[Comment], foretold: Foretold) -> str:
    """The figures, and what simple answers would reach."""
    per_comment = foretold.found.mean(axis=0)
    error = per_comment.std(axis=0) / np.sqrt(len(per_comment))
    whole = np.mean([measure(c.marked, c.text) for c in comments], axis=0)
    lines = [
        f"{'':24} {'char BLEU-2':>11} {'word BLEU-2':>11} {'token F1':>11}",
        _line("whole comment", whole),
        _line("model, cross-validated", per_comment.mean(axis=0)),
        _line("  standard error", error),
        _line("  least of the repeats", foretold.found.mean(axis=1).min(axis=0)),
        _line("  most of the repeats", foretold.found.mean(axis=1).max(axis=0)),
    ]
    return "\n".join([*lines, ""])


def _line(name: str, figures: Doubles) -> str:
    return f"{name:24} " + " ".join(f"{figure:11.3f}" for figure in figures)


def main() -> int:
    """Cross-validate, fit and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path, nargs="?", default=SHIPPED)
    given = parser.parse_args()
    comments = read_comments(given.data)
    encoder = Encoder(given.model, 1)
    studied = study(comments, encoder)
    directions, origin = find_directions(given.model, encoder.words.labels)
    table = Table.of(studied, directions, origin)
    weights = fit(table, _scale(table), np.arange(len(studied)))
    SpanModel(directions, origin, weights).save(given.model / FILE)
    foretold = cross_validate(studied, table)
    sys.stdout.write(report(comments, foretold))
    (given.model / FILE).with_suffix(".toml").write_text(to_toml(fit_score(foretold)))
    return 0


def to_toml(scale: Scale) -> str:
    """What spans.toml holds."""
    lines = [
        "# Written by pipeline/training/causes.py.",
        f"slope = {scale.slope}",
        f"bias = {scale.bias}",
        f"threshold = {scale.threshold}",
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
