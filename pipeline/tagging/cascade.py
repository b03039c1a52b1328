"""Reads a text no further than it must: its words, a few layers, or all of them.

Each step foretells the pooled state that the whole encoder would give, and how far off
that may be; the heads judge what is foretold as they would the truth. What words say by
themselves is known for sure at each. A text goes on to the next step while too many
labels might still be judged otherwise: the sum, over all labels, of how likely that is.
How many are too many is the tier.

docs/tagging.md says what each step costs and loses; pipeline/training/cascade.py fits
what cascade.npz and cascade.toml hold.
"""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple, Self

import msgspec
import numpy as np
import numpy.typing as npt

from pipeline.tagging.encoder import Encoder, Floats, Read, Reading
from pipeline.tagging.gate import Bag, Gate
from pipeline.tagging.heads import FELT, Doubles, Heads, load_heads
from pipeline.tagging.word_heads import Said

DECISIVE = frozenset({"basic-emotion", "fine-emotion", "marker", FELT[0]})
"""Tasks whose labels must be sure. Valence, say, is unsure of most calm messages."""

WHOLE = "whole"
_NORMAL = 1.702
"""Makes a logistic curve nearly that of the normal distribution."""


class Tier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many labels, by expectation, a step may judge otherwise than the whole."""

    words: float
    shallow: float


class Tiers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What cascade.toml holds."""

    tiers: dict[str, Tier]


class Cascaded(NamedTuple):
    """What a text was found to be, and how.

    `scores` are as of `Heads.scores`; `reading` makes what their evidence is sought in.
    """

    scores: Doubles
    reading: Callable[[], Reading]
    step: str


class Step(NamedTuple):
    """How one step's places become logits of the heads, and how unsure these are.

    `weight` is labels x directions, `said` labels x what words say by themselves; the
    others have one number a label. `limits` are the logits of the thresholds, `spread`
    standard deviations of the errors, and `counted` is 1 for labels of decisive tasks
    and 0 for others.
    """

    weight: Floats
    said: Floats
    bias: Floats
    limits: Floats
    spread: Floats
    counted: Floats

    def logits(self, place: Floats, said: Floats) -> Floats:
        """Of each label, given where a text lies and what its words say."""
        logits: Floats = self.weight @ place + self.said @ said + self.bias
        return logits

    def doubt(self, logits: Floats, error: float) -> float:
        """How many labels the whole encoder is expected to judge otherwise.

        `error` is by how much more than usual a text's place may be wrong, as a power
        of e.
        """
        sure = np.abs(logits - self.limits) / (self.spread * np.exp(error))
        turning = 1 / (1 + np.exp(np.minimum(_NORMAL * sure, 50)))
        return float(self.counted @ turning)


class Foresight(NamedTuple):
    """What cascade.npz holds.

    The whole encoder's pooled state is foretold as `mean` plus a place @ `decode`,
    directions x width. The place comes of a text's words (`table`, `scale`,
    `words_bias`), or of the few layers' pooled state and that first place together
    (`shallow`, `shallow_bias`). After its directions a place has one more number: by
    how much more than usual it may be wrong, as a power of e. The rows of `words_error`
    and `shallow_error`, times their own transpose, are the usual error's covariance.
    """

    table: npt.NDArray[np.int8]
    scale: Floats
    words_bias: Floats
    shallow: Floats
    shallow_bias: Floats
    decode: Floats
    mean: Floats
    words_error: Floats
    shallow_error: Floats

    @classmethod
    def load(cls, path: Path) -> Self:
        """What a file holds, all but the table in single precision."""
        with path.open("rb") as file, np.load(file) as held:
            table = held["table"]
            rest = (held[name].astype(np.float32) for name in cls._fields[1:])
            return cls(table, *rest)

    def step(self, heads: Heads, error: Floats) -> Step:
        """How some heads judge places that are off by `error`."""
        weight, said = np.split(
            heads.slopes[:, None] * heads.weight, [len(self.mean)], axis=1
        )
        bias = weight @ self.mean + heads.slopes * heads.bias + heads.offsets
        limits = np.log(heads.thresholds) - np.log1p(-heads.thresholds)
        spread = np.linalg.norm(weight @ error.T, axis=1)
        counted = np.array([task in DECISIVE for task, _ in heads.keys])
        return Step(
            *(
                part.astype(np.float32)
                for part in (
                    weight @ self.decode.T,
                    said,
                    bias,
                    limits,
                    spread,
                    counted,
                )
            )
        )


class Shortcuts:
    """The steps before the whole encoder.

    Args:
        foresight: what they foretell.
        tier: when they are believed.
        folder: of the heads.
    """

    def __init__(self, foresight: Foresight, tier: Tier, folder: Path) -> None:
        self._foresight, self._tier, self._folder = foresight, tier, folder
        self._gate = Gate(foresight.table, foresight.scale, foresight.words_bias)
        self._steps = lru_cache(maxsize=32)(self._made)

    def by_words(self, said: Said, platform: str) -> tuple[Floats, Cascaded | None]:
        """Where the words place a text, and what it is if that is sure enough."""
        place, bag = self._gate.read(said.found)
        step, _ = self._steps(platform)
        logits = step.logits(place[:-1], said.logits)
        if step.doubt(logits, place[-1]) > self._tier.words:
            return place, None
        reading = cache(lambda: self._of_words(bag, said))
        return place, Cascaded(self._likely(logits, platform), reading, "words")

    def by_shallow(
        self, skimmed: Read, place: Floats, platform: str
    ) -> Cascaded | None:
        """What a text is by a few layers and its words' place, likewise."""
        _, step = self._steps(platform)
        both = np.concatenate([skimmed.mean, place])
        place = self._foresight.shallow @ both + self._foresight.shallow_bias
        logits = step.logits(place[:-1], skimmed.said.logits)
        if step.doubt(logits, place[-1]) > self._tier.shallow:
            return None
        reading = cache(lambda: self._of_shallow(skimmed))
        return Cascaded(self._likely(logits, platform), reading, "shallow")

    def _likely(self, logits: Floats, platform: str) -> Doubles:
        heads = load_heads(self._folder, platform)
        return heads.likely(logits.astype(np.float64))

    def _made(self, platform: str) -> tuple[Step, Step]:
        heads, sight = load_heads(self._folder, platform), self._foresight
        return sight.step(heads, sight.words_error), sight.step(
            heads, sight.shallow_error
        )

    def _of_words(self, bag: Bag, said: Said) -> Reading:
        """What each word adds to the foretold state, in the place of its state."""
        added, words = self._gate.by_word(bag)
        states = added[:, :-1] @ self._foresight.decode
        own = said.heads.by_word(said) * len(words)
        pooled = np.concatenate([self._foresight.mean, said.logits])
        return Reading(np.concatenate([states, own], axis=1), pooled, words)

    def _of_shallow(self, skimmed: Read) -> Reading:
        """What each token adds to the foretold state, likewise."""
        reading, width = skimmed.reading, skimmed.windows[0].shape[1]
        states, own = np.split(reading.states, [width], axis=1)
        shallow = self._foresight.shallow[:-1, :width]
        added = (states @ shallow.T @ self._foresight.decode).astype(np.float32)
        return reading._replace(states=np.concatenate([added, own], axis=1))


class Cascade:
    """Reads texts by steps. Threads may share it.

    Args:
        encoder: the whole.
        folder: with the encoder's heads, and perhaps cascade.npz and cascade.toml:
            without them every text is read whole.
        tier: one of cascade.toml's, or `full`, which reads every text whole.
    """

    def __init__(self, encoder: Encoder, folder: Path, tier: str) -> None:
        self.encoder = encoder
        self._folder = folder
        self._shortcuts = _shortcuts(folder, tier)

    def heads(self, platform: str) -> Heads:
        """The heads that judge texts of `platform`."""
        return load_heads(self._folder, platform)

    def read(
        self, texts: Sequence[tuple[str, str]], *, wholly: bool = False
    ) -> list[Cascaded]:
        """What texts are, as far as their tier asks for, or by the whole encoder.

        Args:
            texts: each with the platform that it is from.
            wholly: whatever the tier.
        """
        steps = None if wholly else self._shortcuts
        found: dict[int, Cascaded] = {}
        places: dict[int, Floats] = {}
        said = [self.encoder.words.read(text) for text, _ in texts]
        if steps is not None:
            for n, (_, platform) in enumerate(texts):
                places[n], told = steps.by_words(said[n], platform)
                if told is not None:
                    found[n] = told
        left = [n for n in range(len(texts)) if n not in found]
        begun = self.encoder.begin([texts[n][0] for n in left], [said[n] for n in left])
        begun_of = dict(zip(left, begun, strict=True))
        skimmed: dict[int, Read] = {}
        if steps is not None:
            skimmed = dict(zip(left, self.encoder.skim(begun), strict=True))
            for n, read in skimmed.items():
                told = steps.by_shallow(read, places[n], texts[n][1])
                if told is not None:
                    found[n] = told
        left = [n for n in left if n not in found]
        finished = self.encoder.finish(
            [begun_of[n] for n in left],
            [skimmed[n] for n in left] if steps is not None else None,
        )
        for n, read in zip(left, finished, strict=True):
            found[n] = self._whole(read, texts[n][1])
        return [found[n] for n in range(len(texts))]

    def _whole(self, finished: Read, platform: str) -> Cascaded:
        scores = self.heads(platform).scores(finished.pooled)
        return Cascaded(scores, cache(lambda: finished.reading), WHOLE)


def _shortcuts(folder: Path, tier: str) -> Shortcuts | None:
    """What lets a tier stop early, where there is such."""
    path = folder / "cascade.npz"
    if tier == "full" or not path.exists():
        return None
    found = msgspec.toml.decode(path.with_suffix(".toml").read_bytes(), type=Tiers)
    return Shortcuts(Foresight.load(path), found.tiers[tier], folder)
