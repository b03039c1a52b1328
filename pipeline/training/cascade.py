"""Fit the cheap steps: python -m pipeline.training.cascade DATA FOLDER SCRATCH.

DATA is as for `groundswell train`; FOLDER holds an exported encoder with its heads and
gets cascade.npz and cascade.toml. What the encoder makes of the texts stays in SCRATCH,
best the folder that `pipeline.training.shallow` wrote whole.npy into: a second run
takes five minutes and not half an hour. The same DATA and SCRATCH give the same files.
Where heads have changed and the encoder has not, the steps may stay and only the tiers
be chosen anew (--keep-steps): three minutes. The few layers' step was then fitted on
the very texts that it is judged on, though on 48,000 of them for 425 numbers each.

Both steps are ridge regressions on the pooled state of the whole encoder, along the
directions that the heads tell apart. Words are fitted on all texts, the few layers on
such as they have not seen in their own training. No label is used but to say what each
tier loses; all that is reported is of texts that nothing was fitted on.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.tagging import corpora
from pipeline.tagging.cascade import Foresight, Tier
from pipeline.tagging.corpora import Corpus
from pipeline.tagging.encoder import Encoder, Floats
from pipeline.tagging.gate import bag, weights
from pipeline.tagging.hashed_words import hashed
from pipeline.tagging.heads import Heads, load_heads
from pipeline.training.calibrate import part
from pipeline.training.corpora import read_sets
from pipeline.training.imitated import (
    chats_apart,
    read_states,
    read_texts,
    read_whole,
)

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SEED = 7
FOLDS = 5
ROWS = 16_384
DIRECTIONS = 40
"""Hold 99.97 % of what the heads tell apart."""

ERRORS = 32
"""Directions in which errors are told apart."""

RIDGE_WORDS, RIDGE_SHALLOW = 1.0, 30.0
STEPS = 30
"""Of conjugate gradients; more change nothing that survives rounding to int8."""

HEED = 3.0
"""How many chats another text outweighs: there are fewer, and more is felt in them."""

MOST_LOST = {"fast": 3.0, "balanced": 1.0}
"""Points of micro-F1 that a tier may lose on any labelled set, memories apart."""

MOST_STRAYED = {"fast": 13.0, "balanced": 6.0}
"""Points of micro-F1 by which flags may differ from the whole encoder's on chats."""

UNSEEN = {"github": 0.635, "stack-overflow": 0.767, "dreaddit": 0.806}
"""What the makers of the weights measured on texts that these had not seen.

What the whole encoder reaches above that on our texts is memory: its teachers had seen
them. No cheap step can foretell it, and nobody loses it on texts to come.
"""

DOUBTS = np.arange(0.0, 1.2, 0.04).round(2)
COSTS = {"words": 0.04, "shallow": 0.9, "whole": 4.8}
"""Of each step with a chat, in milliseconds or anything else."""

_PLAIN = 1e-3
"""Weight of the directions that no head looks at yet, against those that some do."""

_EXACT = 0.05
"""An error so small a share of the usual one is none."""

_NEVER_NAUGHT = 1e-9
_INT8 = 127


class Told(NamedTuple):
    """Texts, what the encoder makes of them, and their labels, if they have any.

    `shallow` and `whole` are mean states, texts x width; `said` is what words say by
    themselves.
    """

    name: str
    platform: str
    texts: list[str]
    shallow: Floats
    whole: Floats
    said: Floats
    corpus: Corpus | None


def gather(data: Path, encoder: Encoder, scratch: Path) -> Iterator[Told]:
    """The texts that steps are judged on."""
    scratch.mkdir(parents=True, exist_ok=True)
    held = {each.source.name: each.held_out for each in read_sets(data, ())}
    for name, (platform, read) in SETS.items():
        corpus = read(data, held)
        shallow, whole = _states(corpus.texts, encoder, scratch / f"{name}.npz")
        said = np.stack([encoder.words.read(text).logits for text in corpus.texts])
        labelled = corpus if corpus.known else None
        yield Told(name, platform, corpus.texts, shallow, whole, said, labelled)


def _states(texts: list[str], encoder: Encoder, kept: Path) -> tuple[Floats, Floats]:
    """The pooled states of the few layers and of all, read or written."""
    if not kept.exists():
        few, whole = read_states(texts, encoder, kept.stem)
        np.savez(kept, shallow=few, whole=whole)
    with np.load(kept) as file:
        return file["shallow"], file["whole"]


Held = Mapping[str, Bools]
"""Of each training set the texts that no training sees."""


def _fifth(name: str, read: Callable[[Path], Corpus]) -> Callable[[Path, Held], Corpus]:
    def fifth(data: Path, held: Held) -> Corpus:
        return part(read(data), np.flatnonzero(held[name]).tolist())

    return fifth


def _dev(read: Callable[[Path, str], Corpus]) -> Callable[[Path, Held], Corpus]:
    return lambda data, _: read(data, "dev")


def _chats(data: Path, _: Held) -> Corpus:
    texts = chats_apart(data)
    return Corpus("", frozenset(), texts, [frozenset()] * len(texts))


def _dreaddit(data: Path) -> Corpus:
    rows = list(corpora.table(data / "mental_health" / "dreaddit_train.csv"))
    labels = [frozenset({"stress"} if row["label"] == "1" else ()) for row in rows]
    texts = [row["text"] for row in rows]
    return Corpus("marker", frozenset({"stress"}), texts, labels)


SETS: dict[str, tuple[str, Callable[[Path, Held], Corpus]]] = {
    "github": ("github", _fifth("github", corpora.github)),
    "stack-overflow": (
        "stackexchange",
        _fifth("stackoverflow", corpora.stack_overflow),
    ),
    "goemotions": ("reddit", _dev(corpora.goemotions)),
    "brighter": ("twitter", _dev(corpora.brighter)),
    "dreaddit": ("reddit", _fifth("dreaddit", _dreaddit)),
    "chats": ("irc", _chats),
}


class Learned(NamedTuple):
    """Texts that words are fitted on, what the encoder makes of each, and weights."""

    texts: list[str]
    whole: Floats
    heed: Doubles


def gather_learned(data: Path, folder: Path, scratch: Path) -> Learned:
    """Those that the few layers learned from."""
    found = read_texts(data)
    heed = np.ones(len(found.texts))
    heed[: found.labelled] = HEED
    whole = read_whole(found.texts, folder, scratch / "whole.npy")
    return Learned(found.texts, whole, heed)


class Directions(NamedTuple):
    """Where pooled states differ in what heads see: place = (state - mean) @ encode."""

    mean: Doubles
    encode: Doubles
    decode: Doubles


def directions(states: Floats, heads: Sequence[Heads]) -> Directions:
    """The directions along which the logits of the heads vary most."""
    width = states.shape[1]
    rows = np.concatenate([one.slopes[:, None] * one.weight for one in heads])
    rows = rows[:, :width]
    metric = rows.T @ rows / len(rows)
    metric += _PLAIN * np.trace(metric) / len(metric) * np.eye(len(metric))
    sizes, axes = np.linalg.eigh(metric)
    there = (axes * np.sqrt(sizes)) @ axes.T
    back = (axes / np.sqrt(sizes)) @ axes.T
    mean = states.mean(axis=0, dtype=np.float64)
    seen = (states - mean) @ there
    _, best = np.linalg.eigh(seen.T @ seen)
    basis = best[:, ::-1][:, :DIRECTIONS]
    return Directions(mean, there @ basis, basis.T @ back)


def bags(texts: Sequence[str]) -> sparse.csr_matrix:
    """The bags of texts, texts x rows."""
    found = [bag(hashed(text), ROWS) for text in texts]
    ends = np.cumsum([0, *(len(one.rows) for one in found)])
    values = np.concatenate([weights(one) for one in found]).astype(np.float64)
    rows = np.concatenate([one.rows for one in found])
    shape = (len(texts), ROWS)
    return sparse.csr_matrix((values, rows, ends), shape=shape)


def ridge_of_words(
    counts: sparse.csr_matrix, places: Doubles, heed: Doubles
) -> Doubles:
    """Rows x directions, by conjugate gradients on all directions at once."""
    turned = counts.T.multiply(heed).tocsr()
    left: Doubles = turned @ places
    found, way = np.zeros_like(left), left.copy()
    size = (left * left).sum(axis=0)
    for _ in range(STEPS):
        pushed = turned @ (counts @ way) + RIDGE_WORDS * way
        length = size / ((way * pushed).sum(axis=0) + _NEVER_NAUGHT)
        found += length * way
        left -= length * pushed
        size, before = (left * left).sum(axis=0), size
        way = left + size / (before + _NEVER_NAUGHT) * way
    return found


def ridge_of_shallow(
    both: Doubles, places: Doubles, heed: Doubles
) -> tuple[Doubles, Doubles]:
    """Directions x inputs, and what is added, for inputs of whatever scale."""
    mean = np.average(both, axis=0, weights=heed)
    scale = both.std(axis=0) + _NEVER_NAUGHT
    middle = np.average(places, axis=0, weights=heed)
    inputs = (both - mean) / scale
    heeded = (inputs * heed[:, None]).T
    square = heeded @ inputs + RIDGE_SHALLOW * np.eye(inputs.shape[1])
    found = np.linalg.solve(square, heeded @ (places - middle)).T / scale
    return found, middle - found @ mean


def rounded(table: Doubles) -> tuple[npt.NDArray[np.int8], Floats]:
    """A table as int8, and the scale of each direction."""
    scale = np.abs(table).max(axis=0) / _INT8 + _NEVER_NAUGHT
    return np.rint(table / scale).astype(np.int8), scale.astype(np.float32)


class Places(NamedTuple):
    """Where texts are foretold to lie, by their words and by both.

    Texts x directions, and one more number each; see `Foresight`.
    """

    words: Doubles
    shallow: Doubles


def foretold_by_words(
    counts: sparse.csr_matrix, truth: Doubles, heed: Doubles
) -> Doubles:
    """Each text's place by a step that was not fitted on it."""
    found = np.zeros_like(truth)
    for out in _folds(len(truth)):
        found[out] = counts[out] @ ridge_of_words(counts[~out], truth[~out], heed[~out])
    return found


def foretold_by_shallow(inputs: Doubles, truth: Doubles, heed: Doubles) -> Doubles:
    """Likewise, by the few layers' states and the places by words."""
    found = np.zeros_like(truth)
    for out in _folds(len(truth)):
        matrix, bias = ridge_of_shallow(inputs[~out], truth[~out], heed[~out])
        found[out] = inputs[out] @ matrix.T + bias
    return found


def _folds(count: int) -> Iterator[Bools]:
    fold = np.random.default_rng(SEED).integers(0, FOLDS, count)
    for number in range(FOLDS):
        yield fold == number


def unusual(truth: Doubles, found: Doubles) -> Doubles:
    """By how much more than usual each place is wrong, texts x 1, as a power of e."""
    off = ((truth - found) ** 2).mean(axis=1, keepdims=True)
    told: Doubles = np.log(off / off.mean() + _EXACT) / 2
    return told


def levelled(found: Doubles) -> float:
    """What to add so that the usual error stays what it is."""
    return float(-np.log(np.exp(2 * found).mean()) / 2)


def errors(states: Floats, foretold: Doubles) -> Floats:
    """The largest directions of what is wrong, each as long as it is wrong by."""
    off = states - foretold
    sizes, axes = np.linalg.eigh(off.T @ off / len(off))
    lengths = np.sqrt(np.maximum(sizes, 0))
    found: Floats = (axes * lengths).T[::-1][:ERRORS].astype(np.float32)
    return found


def fit_words(
    counts: sparse.csr_matrix, truth: Doubles, heed: Doubles
) -> tuple[npt.NDArray[np.int8], Floats, Doubles]:
    """A table of bytes, the scale of each column, and the place of no words."""
    off = unusual(truth, foretold_by_words(counts, truth, heed))
    target = np.concatenate([truth, off], axis=1)
    middle = target.mean(axis=0)
    table, scale = rounded(ridge_of_words(counts, target - middle, heed))
    middle[-1] += levelled(counts @ (table[:, -1:] * scale[-1]) + middle[-1])
    return table, scale, middle


def fit(
    learned: Learned, told: Sequence[Told], heads: Sequence[Heads]
) -> tuple[Foresight, Places]:
    """Both steps, and what they foretell of texts that they were not fitted on."""
    mean, encode, decode = directions(learned.whole, heads)
    table, scale, middle = fit_words(
        bags(learned.texts), (learned.whole - mean) @ encode, learned.heed
    )
    states = np.concatenate([one.whole for one in told])
    shallow = np.concatenate([one.shallow for one in told])
    counts = bags([text for one in told for text in one.texts])
    truth, words = (states - mean) @ encode, counts @ (table * scale) + middle

    sizes = [len(one.texts) for one in told]
    heed = np.repeat([1.0 if one.name == "chats" else HEED for one in told], sizes)
    inputs = np.concatenate([shallow, words], axis=1)
    both = foretold_by_shallow(inputs, truth, heed)
    target = np.concatenate([truth, unusual(truth, both)], axis=1)
    guess = foretold_by_shallow(inputs, target[:, -1:], heed)
    both = np.concatenate([both, guess + levelled(guess)], axis=1)
    matrix, bias = ridge_of_shallow(inputs, target, heed)
    bias[-1] += levelled(guess)

    parts = (
        middle,
        matrix,
        bias,
        decode,
        mean,
        errors(states, mean + words[:, :-1] @ decode),
        errors(states, mean + both[:, :-1] @ decode),
    )
    half: list[Any] = [np.asarray(part, dtype=np.float16) for part in parts]
    return Foresight(table, scale, *half), Places(words, both)


def foretell(sight: Foresight, told: Sequence[Told]) -> Places:
    """What steps that were fitted before foretell."""
    counts = bags([text for one in told for text in one.texts])
    shallow = np.concatenate([one.shallow for one in told])
    words: Doubles = counts @ (sight.table * sight.scale) + sight.words_bias
    inputs = np.concatenate([shallow, words], axis=1)
    both = inputs @ sight.shallow.T + sight.shallow_bias
    return Places(words, both.astype(np.float64))


class Judged(NamedTuple):
    """How each step judges the texts of a set, and how unsure it is.

    The flags are texts x labels, of all heads or, like the truth, of one task.
    """

    name: str
    flags: dict[str, Bools]
    doubts: dict[str, Doubles]
    truth: Bools | None
    columns: list[int]


def judged_sets(
    told: Sequence[Told], heads: Sequence[Heads], places: Places, sight: Foresight
) -> Iterator[Judged]:
    """How steps judge each set."""
    start = 0
    for one, its_heads in zip(told, heads, strict=True):
        own = Places(*(part[start : start + len(one.texts)] for part in places))
        yield judged(one, own, sight, its_heads)
        start += len(one.texts)


def judged(told: Told, places: Places, sight: Foresight, heads: Heads) -> Judged:
    """How steps judge the texts of a set."""
    whole = np.concatenate([told.whole, told.said], axis=1)
    exact = heads.slopes * (whole @ heads.weight.T + heads.bias) + heads.offsets
    flags = {"whole": exact >= np.log(heads.thresholds / (1 - heads.thresholds))}
    doubts = {}
    for name, found, error in (
        ("words", places.words, sight.words_error),
        ("shallow", places.shallow, sight.shallow_error),
    ):
        step = sight.step(heads, error)
        logits = found[:, :-1] @ step.weight.T + told.said @ step.said.T + step.bias
        logits = logits.astype(np.float32)
        flags[name] = logits >= step.limits
        pairs = zip(logits, found[:, -1], strict=True)
        doubts[name] = np.array([step.doubt(*pair) for pair in pairs])
    if told.corpus is None:
        return Judged(told.name, flags, doubts, None, list(range(len(heads.keys))))
    labels = sorted(told.corpus.known)
    columns = [heads.keys.index((told.corpus.task, label)) for label in labels]
    truth = np.array([[n in given for n in labels] for given in told.corpus.labels])
    return Judged(told.name, flags, doubts, truth, columns)


class Outcome(NamedTuple):
    """What a tier does on a set: the shares of texts by step, and points of F1 lost.

    Where no labels are known the whole encoder's answers stand for them. `honest` is
    what would be lost of texts that the encoder does not remember, if it remembers all
    texts of a set alike.
    """

    words: float
    shallow: float
    lost: float
    honest: float


def outcome(one: Judged, tier: Tier) -> Outcome:
    """What a tier does on a set."""
    by_words = one.doubts["words"] <= tier.words
    by_shallow = ~by_words & (one.doubts["shallow"] <= tier.shallow)
    flags = np.where(by_words[:, None], one.flags["words"], one.flags["whole"])
    flags = np.where(by_shallow[:, None], one.flags["shallow"], flags)[:, one.columns]
    whole = one.flags["whole"][:, one.columns]
    truth = whole if one.truth is None else one.truth
    best = micro_f1(whole, truth)
    lost = 100 * (best - micro_f1(flags, truth))
    memory = 100 * max(0.0, best - UNSEEN.get(one.name, best))
    shares = float(by_words.mean()), float(by_shallow.mean())
    return Outcome(*shares, lost, lost - memory * sum(shares))


def micro_f1(said: Bools, truth: Bools) -> float:
    """Over all pairs of text and label."""
    return float(2 * (said & truth).sum() / max(1, said.sum() + truth.sum()))


def choose(sets: Sequence[Judged], most_lost: float, most_strayed: float) -> Tier:
    """The tier that costs least on chats and loses no more than that anywhere."""
    best, least = Tier(0.0, 0.0), sum(COSTS.values())
    chats = [one for one in sets if one.truth is None]
    for words in DOUBTS:
        for shallow in DOUBTS:
            tier = Tier(float(words), float(shallow))
            cost = sum(_cost(one, tier) for one in chats) / len(chats)
            if cost < least and all(
                outcome(one, tier).honest
                <= (most_strayed if one.truth is None else most_lost)
                for one in sets
            ):
                best, least = tier, cost
    return best


def _cost(one: Judged, tier: Tier) -> float:
    """Of the mean text."""
    on = one.doubts["words"] > tier.words
    whole = on & (one.doubts["shallow"] > tier.shallow)
    return (
        COSTS["words"]
        + COSTS["shallow"] * float(on.mean())
        + COSTS["whole"] * float(whole.mean())
    )


def report(sets: Sequence[Judged], tiers: dict[str, Tier]) -> str:
    """Of each tier and set the shares of texts by step, and points of F1 lost."""
    lines = [f"{'':24} texts  words shallow whole   lost  honest"]
    for name, tier in tiers.items():
        for one in sets:
            found = outcome(one, tier)
            lines.append(
                f"{name:9} {one.name:14} {len(one.doubts['words']):5} "
                f"{found.words:6.3f} {found.shallow:6.3f} "
                f"{1 - found.words - found.shallow:6.3f} {found.lost:6.2f} "
                f"{found.honest:6.2f}"
            )
    return "\n".join([*lines, ""])


def to_toml(tiers: dict[str, Tier]) -> str:
    """What cascade.toml holds."""
    lines = ["# Written by pipeline/training/cascade.py.", "", "[tiers]"]
    for name, tier in tiers.items():
        lines.append(f"{name} = {{ words = {tier.words}, shallow = {tier.shallow} }}")
    return "\n".join([*lines, ""])


def main() -> int:
    """Fit, choose, write and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("data", "folder", "scratch"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--keep-steps", action="store_true", help="choose tiers alone")
    given = parser.parse_args()
    told = list(gather(given.data, Encoder(given.folder, 1), given.scratch))
    heads = [load_heads(given.folder, one.platform) for one in told]
    path = given.folder / "cascade.npz"
    if given.keep_steps:
        sight = Foresight.load(path)
        places = foretell(sight, told)
    else:
        learned = gather_learned(given.data, given.folder, given.scratch)
        sight, places = fit(learned, told, heads)
        np.savez_compressed(path, **sight._asdict())
    sets = list(judged_sets(told, heads, places, sight))
    tiers = {
        name: choose(sets, MOST_LOST[name], MOST_STRAYED[name]) for name in MOST_LOST
    }
    (given.folder / "cascade.toml").write_text(to_toml(tiers), encoding="utf-8")
    sys.stdout.write(report(sets, tiers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
