"""Fits what tells Spanish texts that show an emotion from those that show none.

BRIGHTER's comments nearly all show one. Calm texts are sentences written for this
project, spanish_sentences.tsv, and Spanish messages of chats; sentences of developers
who do feel something keep the talk of developers itself from counting as calm.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_array, hstack
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer

from pipeline.tagging.language import detect
from pipeline.tagging.spanish import LANGUAGE
from pipeline.tagging.spanish_denied import undenied
from pipeline.tagging.spanish_spellings import Spellings
from pipeline.training.corpora import Output
from pipeline.training.markers_texts import CHATS, messages
from pipeline.training.network import load_network
from pipeline.training.spanish import FOLDS
from pipeline.training.spanish_corpora import BRIGHTER, Example, brighter_spanish
from pipeline.training.spanish_network import prepare, read
from pipeline.training.spanish_spellings import tf_idf

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

SENTENCES = Path(__file__).parent / "spanish_sentences.tsv"
ALWAYS = -1
"""The fold of texts that are never left out."""

_COMMENT, _CALM, _FELT, _CHAT = 1.0, 3.0, 12.0, 0.1
"""What texts count: a chat little, as nobody has read it."""

_LEAST_CHARACTERS = 12
_STRENGTH = 1.0
"""Inverse of the regularisation."""

_STATES, _SPELLING = 0.05, 2.0
"""How loud both are before the regularisation, which shrinks what is faint more."""

_COMMON = 3
_PATIENCE = 2_000
_SIDE = 1_000.0
"""What the texts with an emotion count together, and those without."""


class Material(NamedTuple):
    """Texts, denied emotions left out; their labels, what each counts, its fold."""

    texts: list[str]
    labels: list[frozenset[str]]
    counts: Floats
    fold: Ints

    def where(self, rows: Bools) -> Self:
        """Some of the texts."""
        kept = np.flatnonzero(rows).tolist()
        return self._replace(
            texts=[self.texts[n] for n in kept],
            labels=[self.labels[n] for n in kept],
            counts=self.counts[rows],
            fold=self.fold[rows],
        )


class Calm(NamedTuple):
    """The log-odds of any emotion: `weight` on a pooled state, and its spelling's."""

    weight: Floats
    bias: float
    spellings: Spellings

    def felt(self, states: Floats, texts: Sequence[str]) -> Floats:
        """Of each text, given its pooled state."""
        spelt = [float(self.spellings.read(text).logits[0]) for text in texts]
        log_odds: Floats = states @ self.weight + self.bias + np.array(spelt)
        return log_odds


def sentences() -> list[Example]:
    """Those written for this project; "-" stands for no emotion."""
    split = [
        line.split("\t") for line in SENTENCES.read_text(encoding="utf-8").splitlines()
    ]
    return [
        Example(BRIGHTER, text, frozenset(given.split()) - {"-"})
        for given, text in split
    ]


def chats(data: Path) -> list[str]:
    """Messages found to be Spanish, held to be calm: most are."""
    said = (t for name in CHATS for t in messages(data, name, _LEAST_CHARACTERS))
    return [text for text in dict.fromkeys(said) if detect(text) == LANGUAGE]


def material(data: Path) -> Material:
    """All that is learnt from: comments first, then sentences, chats last."""
    comments, written, heard = brighter_spanish(data), sentences(), chats(data)
    labelled = [*comments, *written]
    counts = [_COMMENT] * len(comments) + [
        _FELT if example.labels else _CALM for example in written
    ]
    fold = [n % FOLDS for part in (comments, written) for n in range(len(part))]
    return Material(
        [undenied(text) for text in [*(each.text for each in labelled), *heard]],
        [*(each.labels for each in labelled), *[frozenset[str]()] * len(heard)],
        np.array(counts + [_CHAT] * len(heard)),
        np.array(fold + [ALWAYS] * len(heard)),
    )


def states(folder: Path, names: list[Output], texts: Sequence[str]) -> Floats:
    """Pooled states, texts x width, of the network in a folder."""
    network = load_network(folder, names)
    network.heads = torch.nn.Identity()  # type: ignore[assignment]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    examples = [Example(BRIGHTER, text, frozenset()) for text in texts]
    tokens = prepare(tokenizer, examples, names)
    return read(network, tokens, range(len(texts))).astype(np.float64)


def balanced(felt: Bools, counts: Floats) -> Floats:
    """What each text counts when those with an emotion count as much as the others."""
    even = counts.copy()
    for side in (felt, ~felt):
        even[side] *= _SIDE / even[side].sum()
    return even


def fit_calm(pooled: Floats, learnt: Material) -> Calm:
    """A logistic regression on states and spellings; both sides count the same."""
    felt = np.array([bool(labels) for labels in learnt.labels])
    counts = balanced(felt, learnt.counts)
    runs, rarity, spelt = tf_idf(learnt.texts, _COMMON)
    mean, loudness = pooled.mean(axis=0), _STATES / pooled.std(axis=0)
    both = hstack([csr_array((pooled - mean) * loudness), _SPELLING * spelt])
    model = LogisticRegression(C=_STRENGTH, solver="liblinear", max_iter=_PATIENCE)
    model.fit(both.tocsr(), felt, sample_weight=counts)
    on_states, on_runs = np.split(model.coef_[0], [pooled.shape[1]])
    weight = on_states * loudness
    spellings = Spellings(
        runs,
        rarity,
        (_SPELLING * on_runs[:, None]).astype(np.float32),
        np.zeros(1, np.float32),
    )
    return Calm(weight, float(model.intercept_[0] - mean @ weight), spellings)
