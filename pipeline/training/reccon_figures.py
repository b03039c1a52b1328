"""How well causes are found, measured as Poria et al. (2021) measure it.

Spans: of every pair of a target and a candidate, token F1 as SQuAD reckons it; a pair
that is no cause wants the empty answer, and one with several spans counts once for
each. Entailment: F1 of causes and of the others, and the mean of both.
"""

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.training.reccon_data import Target

TYPES = ("no-context", "inter-personal", "self-contagion", "hybrid", "latent")

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_SIGNS = str.maketrans("", "", string.punctuation)


class Answer(NamedTuple):
    """What is said of a candidate: whether it is a cause, and by which words."""

    is_cause: bool
    span: str


class Figures(NamedTuple):
    """Of some targets: their number, spans marked in them, and shares from 0 to 1.

    `span_f1` is over all pairs, `span_f1_causes` over those with a span; `none_f1` is
    of finding those without one.
    """

    targets: int
    spans: int
    span_f1: float
    span_f1_causes: float
    exact_causes: float
    none_f1: float
    cause_f1: float
    other_f1: float

    @property
    def macro_f1(self) -> float:
        """Of entailment."""
        return (self.cause_f1 + self.other_f1) / 2


class _Pair(NamedTuple):
    wanted: tuple[str, ...]
    given: Answer


def measure(targets: Sequence[Target], said: Sequence[Sequence[Answer]]) -> Figures:
    """The figures of answers to each candidate of each target."""
    pairs = [
        _Pair(tuple(candidate.text[slice(*span)] for span in candidate.spans), answer)
        for target, answers in zip(targets, said, strict=True)
        for candidate, answer in zip(target.candidates, answers, strict=True)
    ]
    graded = [(want, p.given.span) for p in pairs for want in p.wanted or ("",)]
    f1 = np.array([token_f1(want, got) for want, got in graded])
    marked = np.array([want != "" for want, _ in graded])
    exact = [_words(want) == _words(got) for want, got in graded if want]
    return Figures(
        len(targets),
        int(marked.sum()),
        _mean(f1),
        _mean(f1[marked]),
        _mean(exact),
        binary_f1((want == "", got == "") for want, got in graded),
        binary_f1((bool(p.wanted), p.given.is_cause) for p in pairs),
        binary_f1((not p.wanted, not p.given.is_cause) for p in pairs),
    )


def measure_types(
    targets: Sequence[Target], said: Sequence[Sequence[Answer]]
) -> dict[str, Figures]:
    """The figures by type of cause; a target of two types counts for both."""
    found = {}
    for name in TYPES:
        of_type = [n for n, target in enumerate(targets) if name in target.types]
        if of_type:
            answers = [said[n] for n in of_type]
            found[name] = measure([targets[n] for n in of_type], answers)
    return found


def nothing(targets: Sequence[Target]) -> list[list[Answer]]:
    """The answers of who never finds a cause."""
    return [[Answer(is_cause=False, span="")] * len(t.candidates) for t in targets]


def itself(targets: Sequence[Target]) -> list[list[Answer]]:
    """The answers of who takes every target, as a whole, for its own cause."""
    return [
        [Answer(is_cause=True, span=target.candidates[0].text), *none[1:]]
        for target, none in zip(targets, nothing(targets), strict=True)
    ]


def token_f1(wanted: str, given: str) -> float:
    """Of the words of both, less case, punctuation and articles; 1 if both are none."""
    want, got = _words(wanted), _words(given)
    if not want or not got:
        return float(want == got)
    common = sum((Counter(want) & Counter(got)).values())
    return 2 * common / (len(want) + len(got))


def binary_f1(pairs: Iterable[tuple[bool, bool]]) -> float:
    """Of what was wanted and given; 0 if nothing was either."""
    counts = Counter(pairs)
    right = 2 * counts[True, True]
    return right / max(1, right + counts[True, False] + counts[False, True])


def _words(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_SIGNS)).split()


def _mean(values: Sequence[float] | np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else 0.0
