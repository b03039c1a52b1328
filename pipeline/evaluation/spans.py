"""How near a named cause comes to the words that people named.

BLEU-2 over characters and over words, F1 of the words, and whether they are the same:
of lower case and Porter's stems, as in the study of GPT-4 naming causes (Imran et al.,
2024). Stems and BLEU are nltk's, whose variants of both other studies used.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.errors import ConfigError
from pipeline.evaluation.figures import Name

Floats = npt.NDArray[np.float64]

_BIGRAMS = (0.5, 0.5)


class Nearness(NamedTuple):
    """How near one cause is to the wanted one: 0 is not at all, 1 the same."""

    char_bleu2: float
    word_bleu2: float
    token_f1: float
    exact: float


class _Tools(NamedTuple):
    stem: Any
    bleu: Any
    smooth: Any


def nearness(wanted: str, got: str) -> Nearness:
    """Compare a cause that was found, "" where none was, with the wanted one.

    Raises:
        ConfigError: nltk is not installed.
    """
    want, have = _stems(wanted), _stems(got)
    common = (Counter(want) & Counter(have)).total()
    return Nearness(
        _bleu(list(" ".join(want)), list(" ".join(have))),
        _bleu(want, have),
        2 * common / (len(want) + len(have)) if want or have else 0.0,
        float(want == have != []),
    )


class SpanTally:
    """Means of the nearness, and the share of messages that were answered.

    Args:
        answers: of each message how near its cause is, and whether there is one.
    """

    def __init__(self, answers: Sequence[tuple[Nearness, bool]]) -> None:
        self.rows: Floats = np.array(
            [[*near, answered, 1.0] for near, answered in answers], dtype=np.float64
        )

    def figures(self, sums: Floats) -> dict[Name, Floats]:
        """See `Tally`."""
        names = (*Nearness._fields, "answered")
        return {Name(name): sums[:, n] / sums[:, -1] for n, name in enumerate(names)}


def _stems(text: str) -> list[str]:
    plain = "".join(c if c.isalnum() or c in "_'" else " " for c in text.lower())
    return [_tools().stem(word) for word in plain.split()]


def _bleu(wanted: list[str], got: list[str]) -> float:
    if not got:
        return 0.0
    tools = _tools()
    score = tools.bleu([wanted], got, _BIGRAMS, smoothing_function=tools.smooth)
    return float(score)


@cache
def _tools() -> _Tools:
    """nltk's, which takes seconds to import."""
    try:
        from nltk.stem.porter import PorterStemmer  # noqa: PLC0415 - optional package
        from nltk.translate.bleu_score import (  # noqa: PLC0415 - optional package
            SmoothingFunction,
            sentence_bleu,
        )
    except ModuleNotFoundError as error:
        raise ConfigError(
            "gold causes are compared by nltk's stems and BLEU: run pip install "
            "groundswell[evaluate], or leave those files out"
        ) from error
    return _Tools(PorterStemmer().stem, sentence_bleu, SmoothingFunction().method1)
