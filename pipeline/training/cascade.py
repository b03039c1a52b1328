"""Fit the cheap steps: python -m pipeline.training.cascade DATA FOLDER SCRATCH.

DATA is as for `pipeline.tagging.fit_lexicon`, with mental_health/dreaddit_train.csv and
streams/*.jsonl.gz; FOLDER holds an exported encoder with its heads and gets cascade.npz
and cascade.toml. What the encoder makes of the texts stays in SCRATCH, so that a second
run takes two minutes and not an hour. The same DATA and SCRATCH give the same files.

Both steps are ridge regressions on the pooled state of the whole encoder, along the
directions that the heads tell apart. No label is used but to say what each tier loses;
all that is reported is cross-validated.
"""

import argparse
import gzip
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from tqdm import tqdm

from pipeline.tagging import corpora
from pipeline.tagging.cascade import Foresight, Tier
from pipeline.tagging.corpora import Corpus
from pipeline.tagging.encoder import Encoder, Floats
from pipeline.tagging.gate import bag, weights
from pipeline.tagging.heads import Heads, load_heads
from pipeline.training.calibrate import held_out

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SEED = 7
FOLDS = 5
ROWS = 16_384
DIRECTIONS = 24
"""Hold 99.8 % of what the heads tell apart."""

ERRORS = 32
"""Directions in which errors are told apart."""

RIDGE_WORDS, RIDGE_LOWER = 1.0, 30.0
STEPS = 30
"""Of conjugate gradients; more change nothing that survives rounding to int8."""

CHATS = 10_000
"""Texts of each stream."""

HEED = 3.0
"""How many chats another text outweighs: there are fewer, and more is felt in them."""

MORE = 12_000
"""Texts of training sets, at most."""

MOST_LOST = {"fast": 3.8, "balanced": 0.9}
"""Points of micro-F1 that a tier may lose on any labelled set."""

DOUBTS = np.arange(0.0, 1.2, 0.04).round(2)
COSTS = {"words": 1.0, "lower": 8.0, "whole": 40.0}
"""Of reading a text so far, in tenths of a millisecond or anything else."""

_PLAIN = 1e-3
"""Weight of the directions that no head looks at yet, against those that some do."""

_EXACT = 0.05
"""An error so small a share of the usual one is none."""

_NEVER_NAUGHT = 1e-9
_INT8 = 127


class Told(NamedTuple):
    """Texts, what the encoder makes of them, and their labels, if they have any.

    `lower` and `whole` are pooled states, texts x width.
    """

    name: str
    platform: str
    texts: list[str]
    lower: Floats
    whole: Floats
    corpus: Corpus | None


def gather(data: Path, encoder: Encoder, scratch: Path) -> Iterator[Told]:
    """All texts that the steps are fitted on."""
    scratch.mkdir(parents=True, exist_ok=True)
    for name, (platform, read) in SETS.items():
        corpus = read(data)
        lower, whole = _states(corpus.texts, encoder, scratch / f"{name}.npz")
        labelled = corpus if corpus.known else None
        yield Told(name, platform, corpus.texts, lower, whole, labelled)


def _states(texts: list[str], encoder: Encoder, kept: Path) -> tuple[Floats, Floats]:
    """The pooled states of the lower layers and of all, read or written."""
    if not kept.exists():
        lower, whole = [], []
        for text in tqdm(texts, desc=kept.stem, disable=None):
            skimmed = encoder.skim(text)
            lower.append(skimmed.pooled)
            whole.append(encoder.finish(skimmed).pooled)
        np.savez(kept, lower=np.stack(lower), whole=np.stack(whole))
    with np.load(kept) as held:
        return held["lower"], held["whole"]


def _chats(data: Path) -> Corpus:
    """Some different texts of each stream."""
    random, texts = np.random.default_rng(SEED), []
    for path in sorted((data / "streams").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            found = (json.loads(line)["text"] for line in lines)
            different = list(dict.fromkeys(text for text in found if text.strip()))
        chosen = random.permutation(len(different))[:CHATS]
        texts += [different[n] for n in chosen]
    return _unlabelled(texts)


def _unlabelled(texts: list[str]) -> Corpus:
    return Corpus("", frozenset(), texts, [frozenset()] * len(texts))


def _dreaddit(data: Path) -> Corpus:
    rows = list(corpora.table(data / "mental_health" / "dreaddit_train.csv"))
    labels = [frozenset({"stress"} if row["label"] == "1" else ()) for row in rows]
    texts = [row["text"] for row in rows]
    return Corpus("marker", frozenset({"stress"}), texts, labels)


def _first(corpus: Corpus, count: int) -> Corpus:
    """Some texts without their labels, which the encoder has learnt."""
    return _unlabelled(corpus.texts[:count])


_LEARNT = ("github", "stack-overflow")
SETS: dict[str, tuple[str, Callable[[Path], Corpus]]] = {
    "github": ("github", corpora.github),
    "stack-overflow": ("stackexchange", corpora.stack_overflow),
    "goemotions": ("reddit", lambda data: corpora.goemotions(data, "dev")),
    "brighter": ("twitter", lambda data: corpora.brighter(data, "dev")),
    "dreaddit": ("reddit", _dreaddit),
    "more-goemotions": (
        "reddit",
        lambda d: _first(corpora.goemotions(d, "train"), MORE),
    ),
    "more-brighter": ("twitter", lambda d: _first(corpora.brighter(d, "train"), MORE)),
    "chats": ("irc", _chats),
}


class Directions(NamedTuple):
    """Where pooled states differ in what heads see: place = (state - mean) @ encode."""

    mean: Doubles
    encode: Doubles
    decode: Doubles


def directions(states: Floats, heads: Sequence[Heads]) -> Directions:
    """The directions along which the logits of the heads vary most."""
    rows = np.concatenate([one.slopes[:, None] * one.weight for one in heads])
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
    found = [bag(text, ROWS) for text in texts]
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


def ridge_of_lower(
    both: Doubles, places: Doubles, heed: Doubles
) -> tuple[Doubles, Doubles]:
    """Directions x inputs, and what is added, for inputs of whatever scale."""
    mean = np.average(both, axis=0, weights=heed)
    scale = both.std(axis=0) + _NEVER_NAUGHT
    middle = np.average(places, axis=0, weights=heed)
    inputs = (both - mean) / scale
    heeded = (inputs * heed[:, None]).T
    square = heeded @ inputs + RIDGE_LOWER * np.eye(inputs.shape[1])
    found = np.linalg.solve(square, heeded @ (places - middle)).T / scale
    return found, middle - found @ mean


def rounded(table: Doubles) -> tuple[npt.NDArray[np.int8], Floats]:
    """A table as int8, and the scale of each direction."""
    scale = np.abs(table).max(axis=0) / _INT8 + _NEVER_NAUGHT
    return np.rint(table / scale).astype(np.int8), scale.astype(np.float32)


class Places(NamedTuple):
    """Where texts lie, texts x directions: in truth, by their words, by both.

    What is foretold has one more number each; see `Foresight`.
    """

    truth: Doubles
    words: Doubles
    lower: Doubles


def foretold_by_words(
    counts: sparse.csr_matrix, truth: Doubles, heed: Doubles
) -> Doubles:
    """Each text's place by a step that was not fitted on it."""
    found = np.zeros_like(truth)
    for out in _folds(len(truth)):
        found[out] = counts[out] @ ridge_of_words(counts[~out], truth[~out], heed[~out])
    return found


def foretold_by_lower(inputs: Doubles, truth: Doubles, heed: Doubles) -> Doubles:
    """Likewise, by the lower layers' states and the places by words."""
    found = np.zeros_like(truth)
    for out in _folds(len(truth)):
        matrix, bias = ridge_of_lower(inputs[~out], truth[~out], heed[~out])
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


def fit(told: Sequence[Told], heads: Sequence[Heads]) -> tuple[Foresight, Places]:
    """Both steps, and what they foretell of texts that they were not fitted on."""
    states = np.concatenate([one.whole for one in told])
    lower = np.concatenate([one.lower for one in told])
    counts = bags([text for one in told for text in one.texts])
    mean, encode, decode = directions(states, heads)
    truth = (states - mean) @ encode

    sizes = [len(one.texts) for one in told]
    heed = np.repeat([1.0 if one.name == "chats" else HEED for one in told], sizes)
    words = foretold_by_words(counts, truth, heed)
    target = np.concatenate([truth, unusual(truth, words)], axis=1)
    middle = target.mean(axis=0)
    guess = foretold_by_words(counts, target[:, -1:] - middle[-1], heed) + middle[-1]
    table, scale = rounded(ridge_of_words(counts, target - middle, heed))
    words = np.concatenate([words, guess + levelled(guess)], axis=1)
    middle[-1] += levelled(guess)

    # Fitted on places by words that were not fitted on the same texts, as in use.
    inputs = np.concatenate([lower, words], axis=1)
    both = foretold_by_lower(inputs, truth, heed)
    target = np.concatenate([truth, unusual(truth, both)], axis=1)
    guess = foretold_by_lower(inputs, target[:, -1:], heed)
    both = np.concatenate([both, guess + levelled(guess)], axis=1)
    matrix, bias = ridge_of_lower(inputs, target, heed)
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
    return Foresight(table, scale, *half), Places(truth, words, both)


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
    """How steps judge each set that they were not fitted on."""
    learnt = [one for one in told if one.name in _LEARNT]
    fifths = held_out([one.corpus for one in learnt if one.corpus])
    kept = dict(zip((one.name for one in learnt), fifths, strict=True))
    start = 0
    for one, its_heads in zip(told, heads, strict=True):
        own = Places(*(part[start : start + len(one.texts)] for part in places))
        rows = kept.get(one.name, list(range(len(one.texts))))
        yield judged(one, rows, own, sight, its_heads)
        start += len(one.texts)


def judged(
    told: Told, rows: list[int], places: Places, sight: Foresight, heads: Heads
) -> Judged:
    """How steps judge those texts of a set whose labels the encoder was not shown."""
    exact = heads.slopes * (told.whole @ heads.weight.T + heads.bias) + heads.offsets
    flags = {"whole": exact >= np.log(heads.thresholds / (1 - heads.thresholds))}
    doubts = {}
    for name, found, error in (
        ("words", places.words, sight.words_error),
        ("lower", places.lower, sight.lower_error),
    ):
        step = sight.step(heads, error)
        logits = (found[:, :-1] @ step.weight.T + step.bias).astype(np.float32)
        flags[name] = logits >= step.limits
        pairs = zip(logits, found[:, -1], strict=True)
        doubts[name] = np.array([step.doubt(*pair) for pair in pairs])
    if told.corpus is None:
        return Judged(told.name, flags, doubts, None, list(range(len(heads.keys))))
    flags = {name: part[rows] for name, part in flags.items()}
    doubts = {name: part[rows] for name, part in doubts.items()}
    labels = sorted(told.corpus.known)
    columns = [heads.keys.index((told.corpus.task, label)) for label in labels]
    truth = np.array([[n in given for n in labels] for given in told.corpus.labels])
    return Judged(told.name, flags, doubts, truth[rows], columns)


class Outcome(NamedTuple):
    """What a tier does on a set: the shares of texts by step, and points of F1 lost.

    Where no labels are known the whole encoder's answers stand for them.
    """

    words: float
    lower: float
    lost: float


def outcome(one: Judged, tier: Tier) -> Outcome:
    """What a tier does on a set."""
    by_words = one.doubts["words"] <= tier.words
    by_lower = ~by_words & (one.doubts["lower"] <= tier.lower)
    flags = np.where(by_words[:, None], one.flags["words"], one.flags["whole"])
    flags = np.where(by_lower[:, None], one.flags["lower"], flags)[:, one.columns]
    whole = one.flags["whole"][:, one.columns]
    truth = whole if one.truth is None else one.truth
    lost = 100 * (micro_f1(whole, truth) - micro_f1(flags, truth))
    return Outcome(float(by_words.mean()), float(by_lower.mean()), lost)


def micro_f1(said: Bools, truth: Bools) -> float:
    """Over all pairs of text and label."""
    return float(2 * (said & truth).sum() / max(1, said.sum() + truth.sum()))


def choose(sets: Sequence[Judged], most_lost: float) -> Tier:
    """The tier that costs least on chats and loses no more than that anywhere."""
    best, least = Tier(0.0, 0.0), COSTS["whole"]
    labelled = [one for one in sets if one.truth is not None]
    chats = [one for one in sets if one.name == "chats"]
    for words in DOUBTS:
        for lower in DOUBTS:
            tier = Tier(float(words), float(lower))
            cost = sum(_cost(one, tier) for one in chats) / len(chats)
            if cost < least and all(
                outcome(one, tier).lost <= most_lost for one in labelled
            ):
                best, least = tier, cost
    return best


def _cost(one: Judged, tier: Tier) -> float:
    """Of the mean text."""
    on = one.doubts["words"] > tier.words
    whole = float((on & (one.doubts["lower"] > tier.lower)).mean())
    further = COSTS["whole"] - COSTS["lower"]
    return COSTS["words"] + float(on.mean()) * COSTS["lower"] + whole * further


def report(sets: Sequence[Judged], tiers: dict[str, Tier]) -> str:
    """Of each tier and set the shares of texts by step, and points of F1 lost."""
    lines = [f"{'':24} texts  words  lower  whole   lost"]
    for name, tier in tiers.items():
        for one in sets:
            found = outcome(one, tier)
            lines.append(
                f"{name:9} {one.name:14} {len(one.doubts['words']):5} "
                f"{found.words:6.3f} {found.lower:6.3f} "
                f"{1 - found.words - found.lower:6.3f} {found.lost:6.2f}"
            )
    return "\n".join([*lines, ""])


def to_toml(tiers: dict[str, Tier]) -> str:
    """What cascade.toml holds."""
    lines = ["# Written by pipeline/training/cascade.py.", "", "[tiers]"]
    for name, tier in tiers.items():
        lines.append(f"{name} = {{ words = {tier.words}, lower = {tier.lower} }}")
    return "\n".join([*lines, ""])


def main() -> int:
    """Fit, choose, write and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("data", "folder", "scratch"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    told = list(gather(given.data, Encoder(given.folder, 1), given.scratch))
    heads = [load_heads(given.folder, one.platform) for one in told]
    sight, places = fit(told, heads)
    sets = list(judged_sets(told, heads, places, sight))
    tiers = {name: choose(sets, most) for name, most in MOST_LOST.items()}
    np.savez_compressed(given.folder / "cascade.npz", **sight._asdict())
    (given.folder / "cascade.toml").write_text(to_toml(tiers), encoding="utf-8")
    sys.stdout.write(report(sets, tiers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
