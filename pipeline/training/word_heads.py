"""Let words have a say: python -m pipeline.training.word_heads DATA MODEL.

DATA is as for `groundswell train`; MODEL holds an exported encoder. Words and pairs of
words get weights that foretell what people say of labelled texts, MODEL/words.weights,
and count `SHARE` of each logit from then on (MODEL/emotions.npz). Scales, markers and
causes are to be fitted anew. The same DATA and MODEL give the same files.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import compress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from tqdm import tqdm

from pipeline.errors import InputError, exit_code
from pipeline.tagging.hashed_words import hashed
from pipeline.tagging.heads import load_outputs
from pipeline.tagging.word_heads import FILE, WordHeads
from pipeline.training import markers, markers_texts
from pipeline.training.calibrate import OutputNames
from pipeline.training.contrast import contrast
from pipeline.training.corpora import LabelledSet, Output, read_sets

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

SETS = ("goemotions", "github", "stackoverflow", "brighter", "dreaddit")
SHARE = 0.3
"""What words count; between .2 and .4 hardly anything changes."""

STRENGTH = 4.0
"""Inverse of the regularisation."""

CONTRAST = 0.25
"""See `pipeline.training.contrast`."""

COMMON = 2
"""Texts of a set that a word must be in."""

ENOUGH = 20
"""Texts that a label must be in."""

STEPS = 4
"""Of a weight's standard deviation; finer ones change nothing, but take more room."""

_INT8 = 127
_NEVER_NAUGHT = 1e-9


class Counted(NamedTuple):
    """The different hashes of a text, and how often each is there."""

    hashes: npt.NDArray[np.uint64]
    times: npt.NDArray[np.int64]


class Taught(NamedTuple):
    """A set's texts, the outputs that they teach, and texts x outputs."""

    texts: list[Counted]
    outputs: list[Output]
    targets: Floats


class Vocabulary(NamedTuple):
    """Hashes of words and pairs, rising, and how rare each is."""

    keys: npt.NDArray[np.uint32]
    rarity: Floats


def let_speak(data: Path, model: Path) -> None:
    """Fit what words say, and let it count.

    Raises:
        InputError: data are missing, or words have a say already.
    """
    if (model / FILE).exists():
        raise InputError(f"words have a say in {model} already: export it anew")
    names, before = OutputNames(model), load_outputs(model / "emotions.npz")
    heads, outputs = fit(taught(data, names))
    rows = [names.of([output.task], output.label)[0] for output in outputs]
    weight, bias = before.weight.copy(), before.bias.copy()
    weight[rows] *= 1 - SHARE
    bias[rows] *= 1 - SHARE
    said = np.zeros((len(weight), len(rows)), np.float32)
    said[rows, range(len(rows))] = SHARE
    np.savez(model / "emotions.npz", weight=np.hstack([weight, said]), bias=bias)
    heads.save(model / FILE)


def taught(data: Path, names: OutputNames) -> list[Taught]:
    """What may be learned from, without all that anything is judged on."""
    apart = set(_judged_elsewhere(data))
    return [
        _taught(s, names, apart) for s in read_sets(data, ()) if s.source.name in SETS
    ]


def _judged_elsewhere(data: Path) -> list[str]:
    """The fifth of the published Dreaddit that the encoders' own training left out."""
    posts = markers_texts.stress(data).texts
    held = markers.held_out(markers.DREADDIT)
    return [posts[n] for n in held if n < len(posts)]


def _taught(one: LabelledSet, names: OutputNames, apart: set[str]) -> Taught:
    free = [
        not held and text not in apart
        for text, held in zip(one.texts, one.held_out, strict=True)
    ]
    targets = one.targets[free]
    told = np.nansum(targets, axis=0) >= ENOUGH
    chosen = [n for n in np.flatnonzero(told) if names.hold(*one.outputs[n])]
    texts = compress(one.texts, free)
    return Taught(
        [Counted(*np.unique_counts(hashed(text).hashes)) for text in texts],
        [one.outputs[n] for n in chosen],
        targets[:, chosen],
    )


def fit(sets: Sequence[Taught]) -> tuple[WordHeads, list[Output]]:
    """What words say, and for which outputs, in order."""
    vocabulary = vocabulary_of(sets)
    weights, biases = [], []
    for one in sets:
        counted = matrix(one.texts, vocabulary)
        for column in tqdm(one.targets.T, "words", disable=None):
            weight, bias = fit_label(counted, column.astype(np.float64))
            weights.append(weight)
            biases.append(bias)
    small, step = rounded(np.stack(weights, axis=1))
    added = np.array(biases, np.float32)
    heads = WordHeads(vocabulary.keys, vocabulary.rarity, small, step, added)
    return heads, [output for one in sets for output in one.outputs]


def rounded(table: Doubles) -> tuple[npt.NDArray[np.int8], Floats]:
    """A table as bytes, and the step of each label; no weight is cut off."""
    usual = np.ma.masked_equal(table, 0).std(axis=0).filled(0.0) / STEPS
    step = np.maximum(usual, np.abs(table).max(axis=0) / _INT8 + _NEVER_NAUGHT)
    return np.rint(table / step).astype(np.int8), step.astype(np.float32)


def vocabulary_of(sets: Sequence[Taught]) -> Vocabulary:
    """All that is in several texts of a set; how rare it is in those of all sets."""
    texts: Counter[int] = Counter()
    kept: set[int] = set()
    for one in sets:
        spread = Counter(key for text in one.texts for key in text.hashes.tolist())
        kept |= {key for key, number in spread.items() if number >= COMMON}
        texts += spread
    keys = sorted(kept)
    numbers = np.array([texts[key] for key in keys])
    total = sum(len(one.texts) for one in sets)
    rarity = np.log((1 + total) / (1 + numbers)) + 1
    return Vocabulary(np.array(keys, np.uint32), rarity.astype(np.float32))


def matrix(texts: Sequence[Counted], vocabulary: Vocabulary) -> sparse.csr_matrix:
    """Texts x keys as `WordHeads` counts them, the length of each row being one."""
    columns, values = [], []
    for text in texts:
        places = np.searchsorted(vocabulary.keys, text.hashes)
        places[places == len(vocabulary.keys)] = 0
        known = vocabulary.keys[places] == text.hashes
        loud = (1 + np.log(text.times[known])) * vocabulary.rarity[places[known]]
        columns.append(places[known])
        values.append(loud / max(float(np.linalg.norm(loud)), _NEVER_NAUGHT))
    ends = np.cumsum([0, *map(len, columns)])
    # scikit-learn takes no wider numbers.
    places_of_all = (np.concatenate(columns).astype(np.int32), ends.astype(np.int32))
    shape = (len(texts), len(vocabulary.keys))
    return sparse.csr_matrix((np.concatenate(values), *places_of_all), shape=shape)


def fit_label(counted: sparse.csr_matrix, wanted: Doubles) -> tuple[Doubles, float]:
    """A label's weights and what is added to them.

    Args:
        counted: texts x keys.
        wanted: from 0 (no) to 1 (yes), NaN where nobody looked.
    """
    asked = ~np.isnan(wanted)
    counted, wanted = counted[asked], wanted[asked]
    telling = contrast(counted, wanted, CONTRAST)
    scaled = counted @ sparse.diags(telling)
    twice = sparse.vstack([scaled, scaled]).tocsr()
    shares = np.concatenate([wanted, 1 - wanted])
    there = np.flatnonzero(shares)
    yes = np.arange(len(shares)) < len(wanted)
    model = LogisticRegression(C=STRENGTH, solver="liblinear", random_state=0)
    model.fit(twice[there], yes[there], shares[there])
    weight: Doubles = telling * model.coef_[0]
    return weight, float(model.intercept_[0])


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("data", "model"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    return exit_code(lambda: let_speak(given.data, given.model))


if __name__ == "__main__":
    sys.exit(main())
