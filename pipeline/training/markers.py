"""Heads for markers, tone, valence: python -m pipeline.training.markers DATA CLEAN.

DATA is as for `pipeline.training.calibrate`, with `mental_health`, `incivility` and
`streams`; CLEAN is the small encoder's folder that `pipeline.training.export` wrote.
Writes markers.npz and markers.toml beside the shipped encoder, or into --output, and
prints how good the heads are on texts that they were not fitted on.

The shipped encoder was shown Dreaddit and the incivility set. Heads on them are scaled
by what CLEAN's heads say of the fifth that CLEAN was not shown.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
import numpy as np
from scipy.special import logit
from tqdm import tqdm

from pipeline.tagging.calibration import Scale
from pipeline.tagging.encoder import SHIPPED, Encoder, Reading
from pipeline.tagging.fit_lexicon import rates
from pipeline.tagging.heads import ANY, load_outputs
from pipeline.tagging.lexicon_tagger import LexiconTagger
from pipeline.tagging.tagger import TextToTag
from pipeline.training import markers_texts as source
from pipeline.training.calibrate import SEED, OutputNames, heads_toml, scale_line
from pipeline.training.markers_fit import (
    Bools,
    Figures,
    Floats,
    Head,
    figures,
    fit,
    fit_careful,
    unseen_logits,
    unseen_scores,
)
from pipeline.training.markers_texts import LEARNED, TONES, Texts

NAME = "markers"
SIZES = (1_600, 3_840, 3_181, 2_838, 2_959)
"""Of the sets that the training of the encoders took a fifth from, in its order:
GitHub, Stack Overflow, Jira without repeats, Dreaddit, incivility. Inferred: of 3,400
sizes of the third these alone are where the clean encoder errs on the last two."""

CHAT_MESSAGES = 2_000
"""Of each chat, that stand for what carries none of the labels."""

CHAT_WEIGHT = 0.3
HELD = 10.0
BETTER = 0.05
"""By how much of F1 a head must beat the lexicon to take its place."""

COMMON = 0.1
"""How many comments on GitHub are uncivil, by assumption; of those in heated issues a
fifth are. Figures are of these, by their own share."""

LEAST_F1 = 0.4
"""Of whatever is marked at all, but for frustration: the lexicon hardly finds that."""

LIKELY, LIKELY_ON_REDDIT = 0.5, 0.55
"""Less likely stress and incivility are not marked, whatever that would do for F1:
the lowest thresholds that are best for it mark half of all chats as stressed."""

_GITHUB, DREADDIT, _INCIVILITY = 0, 3, 4
_MARKER, _TONE, _FINE = "marker", "tone", "fine-emotion"
_INCIVIL = "incivility on GitHub"
_SECONDARY = "secondary emotion on GitHub"
_STRESS = [("stress, Dreaddit", "stress")]
_FRUSTRATION = [
    *((_SECONDARY, name) for name in ("irritation", "annoyance", "exasperation")),
    (_SECONDARY, "frustration"),
    (_INCIVIL, "Bitter frustration"),
]


class Reads(Protocol):
    """Whatever reads a text as `Encoder` does."""

    def read(self, text: str) -> Reading:
        """What all layers make of a text."""
        ...


class Place(NamedTuple):
    """What a head judges, and on which platform."""

    task: str
    platform: str
    label: str


class Fitted(NamedTuple):
    """One label's head on one platform, and what is known of it."""

    place: Place
    head: Head
    scale: Scale
    figures: Figures
    note: str = ""


class Model(NamedTuple):
    """An encoder and the heads that it was trained with."""

    folder: Path
    encoder: Reads

    def states(self, texts: Sequence[str]) -> Floats:
        """Texts x width."""
        read = [self.encoder.read(text).pooled for text in tqdm(texts, disable=None)]
        return np.array(read, dtype=np.float64)

    def head(self, outputs: Sequence[tuple[str, str]]) -> Head:
        """The mean of some of its heads, as one."""
        names, held = (
            OutputNames(self.folder),
            load_outputs(self.folder / "emotions.npz"),
        )
        rows = [names.of([task], label)[0] for task, label in outputs]
        weight = held.weight[rows].mean(axis=0, keepdims=True)
        return Head(weight.astype(np.float64), held.bias[rows].mean(keepdims=True))


class Part(NamedTuple):
    """Texts as an encoder and people see them."""

    states: Floats
    truth: Floats
    counts: Floats


def fit_all(data: Path, model: Model, clean: Model) -> list[Fitted]:
    """Every head worth shipping."""
    idle = source.chats(data, CHAT_MESSAGES, CHAT_WEIGHT)
    quiet = model.states(idle.texts)
    return [
        *_markers(data, model, idle, quiet),
        _severe_stress(data, model, idle, quiet),
        _reddit_stress(data, model, clean),
        *_tones(data, model, clean),
        *_frustration(data, model, clean),
        *_valence(data, model),
        _intensity(data, model, idle, quiet),
    ]


def _markers(data: Path, model: Model, idle: Texts, quiet: Floats) -> list[Fitted]:
    readings, at_random = source.sad_readings(data)
    written, described = source.sentences(), source.symptoms(data)
    states = [model.states(one.texts) for one in (readings, written, described)]
    part = _joined(
        [readings, idle, written, described],
        [states[0], quiet, *states[1:]],
        LEARNED,
    )
    head, logits = fit(*part, HELD), unseen_logits(*part, HELD)
    judged = len(logits) - len(described.texts)
    found, chance = _by_lexicon(readings.texts, _MARKER), np.array(at_random)
    fitted = []
    for n, label in enumerate(LEARNED):
        said, true = logits[:judged, n], part.truth[:judged, n] > 0
        scores, flagged = unseen_scores(said, true)
        by_words = np.array([label in labels for labels in found])
        read, rest = np.split(flagged, [len(by_words)])
        known = figures(scores[: len(read)], read, true[: len(read)])
        rival = Comparison(read, by_words, true[: len(read)], chance)
        note = f"{rival}, {_rate(rest[: len(quiet)])}"
        if rival.is_won:
            place = Place(_MARKER, ANY, label)
            scale = fit_careful(said, true)
            fitted.append(Fitted(place, head.only(n), scale, known, note))
        else:
            sys.stdout.write(f"left to the lexicon: {label}, {known}, {note}\n")
    return fitted


class Comparison(NamedTuple):
    """What a head and the lexicon flag among the same texts."""

    by_head: Bools
    by_words: Bools
    true: Bools
    chance: Bools

    @property
    def is_won(self) -> bool:
        """Whether the head is clearly better, and no worse where chance chose."""
        (words, head), (again, anew) = self._f1(slice(None)), self._f1(self.chance)
        return head >= max(words + BETTER, LEAST_F1) and anew >= again

    def __str__(self) -> str:
        """The lexicon's F1, and both on what was read by chance alone."""
        (words, _), (again, anew) = self._f1(slice(None)), self._f1(self.chance)
        return f"lexicon {words:.2f}, at random {anew:.2f} and {again:.2f}"

    def _f1(self, chosen: slice | Bools) -> tuple[float, float]:
        """The lexicon's and the head's."""
        true = self.true[chosen]
        words, _, _ = rates(self.by_words[chosen], true)
        head, _, _ = rates(self.by_head[chosen], true)
        return words, head


def _rate(flagged: Bools) -> str:
    return f"{1e4 * flagged.mean():.1f} of 10,000 chats"


def _by_lexicon(texts: Sequence[str], task: str) -> list[set[str]]:
    tagger = LexiconTagger.load(suicidality=False)
    given = [TextToTag(text, "en", "sms", ()) for text in texts]
    return [
        {mark.label for mark in marks if mark.task == task and mark.flagged}
        for marks in tagger.tag(given)
    ]


def _severe_stress(data: Path, model: Model, idle: Texts, quiet: Floats) -> Fitted:
    """Of short texts, as SAD's are: Dreaddit's head knows long posts only."""
    sad = source.sad(data)
    part = _joined([sad, idle], [model.states(sad.texts), quiet], ["stress"])
    head, said = fit(*part, HELD), unseen_logits(*part, HELD)[:, 0]
    true = part.truth[:, 0] > 0
    scores, flagged = unseen_scores(said, true, LIKELY)
    known, note = figures(scores, flagged, true), _rate(flagged[len(sad.texts) :])
    scale = fit_careful(said, true, LIKELY)
    return Fitted(Place(_MARKER, ANY, "stress"), head, scale, known, note)


def _reddit_stress(data: Path, model: Model, clean: Model) -> Fitted:
    posts = _kept(source.stress(data), held_out(DREADDIT))
    logits = clean.head(_STRESS).logits(clean.states(posts.texts))
    place = Place(_MARKER, "reddit", "stress")
    return _scaled(place, model.head(_STRESS), logits, posts, LIKELY_ON_REDDIT)


def _tones(data: Path, model: Model, clean: Model) -> list[Fitted]:
    """As people speak in heated issues; what chats call uncivil nobody labelled."""
    heated = _kept(source.incivility(data), held_out(_INCIVILITY))
    states = clean.states(heated.texts)
    fitted = []
    for label, name in TONES.items():
        output = [(_INCIVIL, name)]
        logits = clean.head(output).logits(states)
        place = Place(_TONE, "github", label)
        one = _scaled(place, model.head(output), logits, heated, LIKELY)
        if one.figures.f1 >= LEAST_F1:
            share = one.figures.texts / len(heated.texts)
            fitted.append(one._replace(scale=rarer(one.scale, share, COMMON)))
        else:
            sys.stdout.write(f"left out: {label}, {one.figures}\n")
    return fitted


def rarer(scale: Scale, share: float, common: float) -> Scale:
    """A scale where another share of texts has the label than where it was fitted."""
    moved = scale.bias + float(logit(common) - logit(share))
    return msgspec.structs.replace(scale, bias=round(moved, 3))


def _frustration(data: Path, model: Model, clean: Model) -> list[Fitted]:
    """On GitHub; the word list has the same texts to beat."""
    github = _kept(source.frustration(data), held_out(_GITHUB))
    heated = _kept(source.incivility(data), held_out(_INCIVILITY))
    bitter = [
        frozenset({"frustration"} if "bitter-frustration" in given else ())
        for given in heated.labels
    ]
    both = Texts(github.texts + heated.texts, github.labels + bitter)
    logits = clean.head(_FRUSTRATION).logits(clean.states(both.texts))
    place = Place(_FINE, "github", "frustration")
    one = _scaled(place, model.head(_FRUSTRATION), logits, both)
    true = source.truth(both.labels, ["frustration"])[:, 0] > 0
    found = _by_lexicon(both.texts, _FINE)
    words, _, _ = rates(np.array(["frustration" in given for given in found]), true)
    if one.figures.f1 >= words + BETTER:
        return [one._replace(note=f"lexicon {words:.2f}")]
    sys.stdout.write(f"left to the lexicon: frustration, {one.figures}\n")
    return []


def _valence(data: Path, model: Model) -> list[Fitted]:
    """On texts that the encoder was not shown, so cross-validation is honest."""
    comments, labels = source.valence(data), ["negative", "positive"]
    part = _joined([comments], [model.states(comments.texts)], labels)
    head, logits = fit(*part, HELD), unseen_logits(*part, HELD)
    return [
        _scaled(
            Place("valence", ANY, label), head.only(n), logits[:, n : n + 1], comments
        )
        for n, label in enumerate(labels)
    ]


def _intensity(data: Path, model: Model, idle: Texts, quiet: Floats) -> Fitted:
    posts, unseen = (source.intensity(data, part) for part in ("train", "dev"))
    part = _joined([posts, idle], [model.states(posts.texts), quiet], ["strong"])
    head = fit(*part, HELD)
    logits = head.logits(model.states(unseen.texts))
    return _scaled(Place("intensity", ANY, "strong"), head, logits, unseen)


def held_out(number: int) -> list[int]:
    """Of one of `SIZES` the places of the fifth that the training left out."""
    random = np.random.default_rng(SEED)
    drawn = [random.permutation(size)[: size // 5] for size in SIZES[: number + 1]]
    kept: list[int] = drawn[number].tolist()
    return kept


def _kept(texts: Texts, rows: Sequence[int]) -> Texts:
    return texts._replace(
        texts=[texts.texts[row] for row in rows],
        labels=[texts.labels[row] for row in rows],
    )


def _joined(
    sets: Sequence[Texts], states: Sequence[Floats], labels: Sequence[str]
) -> Part:
    return Part(
        np.concatenate(states),
        np.concatenate([source.truth(one.labels, labels) for one in sets]),
        np.concatenate([np.full(len(one.texts), one.weight) for one in sets]),
    )


def _scaled(
    place: Place, head: Head, logits: Floats, texts: Texts, least: float = 0.0
) -> Fitted:
    """A head with the scale that fits logits of texts it was not fitted on."""
    said = logits[:, 0]
    true = source.truth(texts.labels, [place.label])[:, 0] > 0
    known = figures(*unseen_scores(said, true, least), true)
    return Fitted(place, head, fit_careful(said, true, least), known)


def write(fitted: Sequence[Fitted], folder: Path) -> None:
    """markers.npz, in half precision, and markers.toml, as `pipeline.tagging.heads`."""
    Head.of([one.head for one in fitted]).save(folder / f"{NAME}.npz")
    (folder / f"{NAME}.toml").write_text(to_toml(fitted), encoding="utf-8")


def to_toml(fitted: Sequence[Fitted]) -> str:
    """What markers.toml holds."""
    tables: dict[str, list[str]] = {}
    for number, one in enumerate(fitted):
        table = tables.setdefault(f"{one.place.task}.{one.place.platform}", [])
        table.append(scale_line(one.place.label, [number], one.scale))
    return heads_toml("markers", tables)


def report(fitted: Sequence[Fitted]) -> str:
    """The figures, a head a line."""
    lines = [f"{'':32} texts    F1  prec.  rec.   ECE"]
    for one in fitted:
        name, known = ", ".join(one.place), one.figures
        lines.append(
            f"{name:32} {known.texts:5} {known.f1:5.2f} {known.precision:6.2f} "
            f"{known.recall:5.2f} {known.calibration_error:5.3f}  {one.note}".rstrip()
        )
    return "\n".join([*lines, ""])


def main() -> int:
    """Fit, write and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("clean", type=Path)
    parser.add_argument("--output", type=Path, default=SHIPPED)
    given = parser.parse_args()
    model, clean = (
        Model(folder, Encoder(folder, 1)) for folder in (SHIPPED, given.clean)
    )
    fitted = fit_all(given.data, model, clean)
    write(fitted, given.output)
    sys.stdout.write(report(fitted))
    return 0


if __name__ == "__main__":
    sys.exit(main())
