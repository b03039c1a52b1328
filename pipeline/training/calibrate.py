"""Scales of an encoder: python -m pipeline.training.calibrate DATA MODEL CLEAN.

DATA is as for `pipeline.tagging.fit_lexicon`; MODEL and CLEAN are folders that
`pipeline.training.export` wrote. Writes MODEL/emotions.toml and prints how good the
scales are on texts that they were not fitted on.

Emotions on GitHub and Stack Overflow are scaled by what CLEAN says of them. MODEL has
been shown these very texts with labels of its teachers, some of whom had seen the true
ones; it would be believed too readily. CLEAN, a smaller encoder, has not.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import structs
from scipy.special import expit
from tqdm import tqdm

from pipeline.tagging import corpora
from pipeline.tagging.calibration import Scale
from pipeline.tagging.corpora import Corpus
from pipeline.tagging.encoder import Encoder
from pipeline.tagging.fit_lexicon import calibration_error, fit_scale, rates
from pipeline.tagging.heads import ANY, load_outputs

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SEED = 100
"""Of the training's own split; GitHub is drawn first, Stack Overflow second."""

FOLDS = 5
CAUTION = 50
"""Texts with a label that a threshold other than the usual one must outweigh."""

USUAL = 0.5

FEW = 0.25
"""A label that fewer texts have is not one that half of them can be flagged with."""

NEVER = 1.0

CALM = -3.0
"""Bias of stress where nobody labelled it: one message in twenty, not half of them."""

_BASIC, _FINE, _MARKER = "basic-emotion", "fine-emotion", "marker"
_ON_GITHUB = "basic-emotion on GitHub"
_ON_STACK_OVERFLOW = "basic-emotion on Stack Overflow"
_BRIGHTER = "emotion intensity, BRIGHTER English"
_DREADDIT = "stress, Dreaddit"


class Judged(NamedTuple):
    """What an encoder and people say of the same texts, for labels of one task.

    `heads` are those whose mean counts; `logits` and `truth` are texts x labels. Labels
    share one scale where texts are few (`pooled`). Each has its own threshold where
    each one's F1 counts alike (`macro`), not that of all together.
    """

    platform: str
    task: str
    labels: list[str]
    heads: list[str]
    logits: Floats
    truth: Bools
    pooled: bool
    macro: bool


class Figures(NamedTuple):
    """How good scales are on texts that they were not fitted on."""

    micro_f1: float
    macro_f1: float
    calibration_error: float


class OutputNames:
    """The outputs of a model by head and label, from its heads.json."""

    def __init__(self, folder: Path) -> None:
        heads = json.loads((folder / "heads.json").read_text(encoding="utf-8"))
        self._numbers = {(h["task"], h["label"]): n for n, h in enumerate(heads)}

    def hold(self, head: str, label: str) -> bool:
        """Whether a head speaks for a label."""
        return (head, label) in self._numbers

    def of(self, heads: Sequence[str], label: str) -> list[int]:
        """Those that speak for a label."""
        return [self._numbers[head, label] for head in heads]


class Judge:
    """An encoder with the names of its outputs.

    Args:
        folder: of the exported model.
    """

    def __init__(self, folder: Path) -> None:
        self._encoder, self._outputs = Encoder(folder, 1), OutputNames(folder)
        self._said = load_outputs(folder / "emotions.npz").logits

    def read(self, corpus: Corpus, kept: Sequence[int] | None = None) -> Floats:
        """What all heads say of a corpus, or of some of its texts."""
        texts = corpus.texts if kept is None else [corpus.texts[n] for n in kept]
        read = [self._encoder.read(text).pooled for text in tqdm(texts, disable=None)]
        return np.array([self._said(pooled) for pooled in read], dtype=np.float64)

    def judged(
        self, platform: str, corpus: Corpus, heads: list[str], said: Floats
    ) -> Judged:
        """What some heads say, beside the truth."""
        labels = sorted(corpus.known)
        means = [said[:, self._outputs.of(heads, n)].mean(axis=1) for n in labels]
        truth = np.array([[n in given for n in labels] for given in corpus.labels])
        pooled = corpus.task != _FINE
        macro = not {_ON_GITHUB, _ON_STACK_OVERFLOW} & set(heads)
        logits = np.stack(means, axis=1)
        return Judged(
            platform, corpus.task, labels, heads, logits, truth, pooled, macro
        )


def held_out(corpora_in_order: Sequence[Corpus]) -> list[list[int]]:
    """Of each corpus the fifth of its texts that the training left out."""
    random = np.random.default_rng(SEED)
    sizes = [len(corpus.texts) for corpus in corpora_in_order]
    return [random.permutation(size)[: size // 5].tolist() for size in sizes]


def gather(data: Path, model: Judge, clean: Judge) -> Iterator[Judged]:
    """All that scales are fitted on."""
    both = [corpora.github(data), corpora.stack_overflow(data)]
    heads = [_ON_GITHUB, _ON_STACK_OVERFLOW]
    kept = [
        part(corpus, rows) for corpus, rows in zip(both, held_out(both), strict=True)
    ]
    said = [clean.read(corpus) for corpus in kept]
    everything = Corpus(
        _BASIC,
        both[0].known,
        kept[0].texts + kept[1].texts,
        kept[0].labels + kept[1].labels,
    )
    yield clean.judged(ANY, everything, heads, np.concatenate(said))
    for platform, corpus, head, found in zip(
        ("github", "stackexchange"), kept, heads, said, strict=True
    ):
        yield clean.judged(platform, corpus, [head], found)
    posts = corpora.brighter(data, "dev")
    yield model.judged("twitter", posts, [_BRIGHTER], model.read(posts))
    reddit = corpora.goemotions(data, "dev")
    found = model.read(reddit)
    yield model.judged(ANY, reddit, [_FINE], found)
    yield model.judged(ANY, _disgust(reddit), [_FINE], found)._replace(pooled=True)


def part(corpus: Corpus, rows: Sequence[int]) -> Corpus:
    """Some of a corpus's texts."""
    return corpus._replace(
        texts=[corpus.texts[row] for row in rows],
        labels=[corpus.labels[row] for row in rows],
    )


def _disgust(reddit: Corpus) -> Corpus:
    known = frozenset({"disgust"})
    return Corpus(
        _BASIC, known, reddit.texts, [given & known for given in reddit.labels]
    )


def fit(logits: Floats, truth: Bools) -> Scale:
    """A scale whose threshold is .5 unless many texts speak against it."""
    scale = fit_scale(logits.ravel(), truth.ravel())
    texts = int(truth.sum())
    threshold = (texts * scale.threshold + CAUTION * USUAL) / (texts + CAUTION)
    return Scale(scale.slope, scale.bias, round(threshold, 3))


def best_threshold(likely: Floats) -> float:
    """The threshold of the best F1 to be expected of probabilities that are true.

    After Lipton, Elkan and Naryanaswamy (ECML PKDD, 2014). It asks what is probable,
    not what happened to be labelled, and so is steady for rare labels, too. A head that
    would flag most texts for the sake of a few has learned nothing, and flags none.
    """
    falling = np.sort(likely)[::-1]
    found = np.cumsum(falling)
    f1 = 2 * found / (np.arange(1, len(falling) + 1) + found[-1])
    last = int(np.argmax(f1))
    if last >= len(falling) / 2 and likely.mean() < FEW:
        return NEVER
    return round(float(falling[last]), 3)


def fit_labels(judged: Judged, rows: Bools) -> list[Scale]:
    """Of each label its scale, fitted on some of the texts."""
    logits, truth = judged.logits[rows], judged.truth[rows]
    together = fit(logits, truth)
    if not judged.macro:
        return [together] * len(judged.labels)
    scales = []
    for said, true in zip(logits.T, truth.T, strict=True):
        scale = together if judged.pooled else fit(said, true)
        likely = expit(scale.slope * said + scale.bias)
        scales.append(structs.replace(scale, threshold=best_threshold(likely)))
    return scales


def cross_validate(judged: Judged) -> Figures:
    """How good `fit_labels` is on texts that it has not seen."""
    scores = np.zeros_like(judged.logits)
    flagged = np.zeros_like(judged.truth)
    fold = np.arange(len(scores)) % FOLDS
    for number in range(FOLDS):
        out = fold == number
        for n, scale in enumerate(fit_labels(judged, ~out)):
            scores[out, n] = [scale.probability(x) for x in judged.logits[out, n]]
            flagged[out, n] = scores[out, n] >= scale.threshold
    error = calibration_error(scores.ravel(), judged.truth.ravel())
    return Figures(*f1(flagged, judged.truth), error)


def f1(flagged: Bools, truth: Bools) -> tuple[float, float]:
    """Micro- and macro-F1 of what is flagged, both texts x labels."""
    pairs = zip(flagged.T, truth.T, strict=True)
    macro = float(np.mean([rates(said, true)[0] for said, true in pairs]))
    return rates(flagged.ravel(), truth.ravel())[0], macro


def to_toml(judged: Sequence[Judged], outputs: OutputNames) -> str:
    """What emotions.toml holds."""
    tables: dict[str, list[str]] = {}
    for one in judged:
        everything = np.ones(len(one.logits), dtype=bool)
        for label, scale in zip(one.labels, fit_labels(one, everything), strict=True):
            numbers = outputs.of(one.heads, label)
            table = tables.setdefault(f"{one.task}.{one.platform}", [])
            table.append(scale_line(label, numbers, scale))
    if outputs.hold(_DREADDIT, "stress"):
        stress = outputs.of([_DREADDIT], "stress")
        for platform, bias in ((ANY, CALM), ("reddit", 0.0)):
            line = scale_line("stress", stress, Scale(1.0, bias, 0.5))
            tables[f"{_MARKER}.{platform}"] = [line]
    return heads_toml("calibrate", tables)


def heads_toml(writer: str, tables: dict[str, list[str]]) -> str:
    """What a .toml file of heads holds, as `pipeline.tagging.heads`.

    Args:
        writer: the module of this package that writes it.
        tables: lines of each task and platform, as of `scale_line`.
    """
    lines = [f"# Written by pipeline/training/{writer}.py."]
    for name, table in tables.items():
        lines += ["", f"[heads.{name}]", *table]
    return "\n".join([*lines, ""])


def scale_line(label: str, outputs: list[int], scale: Scale) -> str:
    """One label's scale, and the outputs whose mean counts."""
    return (
        f"{label} = {{ outputs = {outputs}, slope = {scale.slope}, "
        f"bias = {scale.bias}, threshold = {scale.threshold} }}"
    )


def report(judged: Sequence[Judged]) -> str:
    """The figures, one task and platform a line."""
    lines = [f"{'':32} texts  micro  macro    ECE"]
    for one in judged:
        name = f"{one.task}, {one.platform}, {len(one.labels)} labels"
        figures = cross_validate(one)
        lines.append(
            f"{name:32} {len(one.truth):5} {figures.micro_f1:6.3f} "
            f"{figures.macro_f1:6.3f} {figures.calibration_error:6.3f}"
        )
    return "\n".join([*lines, ""])


def main() -> int:
    """Fit, write and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("data", "model", "clean"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    judged = list(gather(given.data, Judge(given.model), Judge(given.clean)))
    text = to_toml(judged, OutputNames(given.model))
    (given.model / "emotions.toml").write_text(text, encoding="utf-8")
    sys.stdout.write(report(judged))
    return 0


if __name__ == "__main__":
    sys.exit(main())
