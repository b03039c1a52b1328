"""Basic emotions on Reddit: python -m pipeline.training.reddit DATA [MODEL].

Nobody labelled them there, but GoEmotions has the fine ones of Reddit's comments, and
each of these hangs under a basic one (labels.toml). Heads learn from its training part,
their scales from the other (dev), which no encoder was shown. Writes MODEL/reddit.npz
and reddit.toml, and prints how good they are beside the common heads, cross-validated.
The same DATA and MODEL give the same files.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError, exit_code
from pipeline.tagging import corpora
from pipeline.tagging.corpora import Corpus
from pipeline.tagging.encoder import SHIPPED, Encoder
from pipeline.tagging.heads import ANY, load_heads
from pipeline.training import markers_fit
from pipeline.training.calibrate import (
    Judged,
    cross_validate,
    f1,
    fit_labels,
    heads_toml,
    scale_line,
)
from pipeline.training.pooled import read_pooled

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NAME = "reddit"
TASK = "basic-emotion"
SEED = 3
TEXTS = 20_000
"""Comments that are drawn to learn from; with 8,000 F1 is about as good."""

HELD = 1_000.0
"""How strongly weights are held to 0."""


class Part(NamedTuple):
    """Pooled states of comments, and their basic emotions."""

    states: Floats
    truth: Bools


def read_part(data: Path, part: str, encoder: Encoder) -> tuple[Part, list[str]]:
    """Comments of GoEmotions, at most `TEXTS`, and the labels of their truth.

    Raises:
        InputError: a file is missing, or is not as its authors publish it.
    """
    try:
        corpus = corpora.basic(corpora.goemotions(data, part))
    except FileNotFoundError as error:
        raise InputError(
            f"{error.filename} is not there: put GoEmotions there"
        ) from error
    except (ValueError, IndexError) as error:
        raise InputError(
            f"GoEmotions in {data} is not as its authors publish it ({error!r}): "
            "replace it"
        ) from error
    labels = sorted(corpus.known)
    order = np.random.default_rng(SEED).permutation(len(corpus.texts))[:TEXTS]
    texts = [corpus.texts[n] for n in order]
    return Part(read_pooled(texts, encoder), _truth(corpus, order, labels)), labels


def _truth(corpus: Corpus, order: npt.NDArray[np.int64], labels: list[str]) -> Bools:
    return np.array([[one in corpus.labels[n] for one in labels] for n in order])


def learn(data: Path, model: Path) -> None:
    """Fit, write and report.

    Raises:
        InputError: data are missing.
    """
    encoder = Encoder(model, 1)
    learned, labels = read_part(data, "train", encoder)
    unseen, _ = read_part(data, "dev", encoder)
    counts = np.ones(len(learned.truth))
    head = markers_fit.fit_spread(
        learned.states, learned.truth.astype(np.float64), counts, HELD
    )
    logits = head.logits(unseen.states)
    judged = Judged(
        NAME, TASK, labels, [NAME], logits, unseen.truth, pooled=False, macro=True
    )
    write(head, judged, model)
    sys.stdout.write(report(judged, *_by_common(model, unseen, labels)))


def write(head: markers_fit.Head, judged: Judged, folder: Path) -> None:
    """reddit.npz, in half precision, and reddit.toml, as `pipeline.tagging.heads`."""
    head.save(folder / f"{NAME}.npz")
    scales = fit_labels(judged, np.ones(len(judged.truth), dtype=bool))
    lines = [
        scale_line(label, [number], scale)
        for number, (label, scale) in enumerate(zip(judged.labels, scales, strict=True))
    ]
    toml = heads_toml(NAME, {f"{TASK}.{NAME}": lines})
    (folder / f"{NAME}.toml").write_text(toml, encoding="utf-8")


def _by_common(model: Path, unseen: Part, labels: list[str]) -> tuple[float, float]:
    """Micro- and macro-F1 of the heads that platforms without their own have."""
    heads = load_heads(model, ANY)
    rows = [heads.keys.index((TASK, label)) for label in labels]
    scores = np.array([heads.scores(state)[rows] for state in unseen.states])
    return f1(scores >= heads.thresholds[rows], unseen.truth)


def report(judged: Judged, micro: float, macro: float) -> str:
    """How good these heads are, and the common ones."""
    own = cross_validate(judged)
    return (
        f"{len(judged.truth)} comments     micro  macro    ECE\n"
        f"common heads     {micro:6.3f} {macro:6.3f}\n"
        f"own              {own.micro_f1:6.3f} {own.macro_f1:6.3f} "
        f"{own.calibration_error:6.3f}\n"
    )


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path, nargs="?", default=SHIPPED)
    given = parser.parse_args()
    return exit_code(lambda: learn(given.data, given.model))


if __name__ == "__main__":
    sys.exit(main())
