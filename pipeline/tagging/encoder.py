"""A small BERT with many heads, read by onnxruntime: what each head says of a text.

Texts go through one at a time. A batch would be padded, and int8 scales are those of a
whole batch: the same text would be scored differently in other company. On one core it
is no faster either (docs/tagging.md).
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from tokenizers import Encoding, Tokenizer

from pipeline.tagging.lexicon import MAX_CHARACTERS, Span

Floats = npt.NDArray[np.float32]

SHIPPED = Path(__file__).parent / "models" / "encoder"
WINDOW = 192
"""Tokens the model sees at once, as in training, the two that frame them included."""

MAX_WINDOWS = 8
"""Of a text are read; what comes after the first 1,500 tokens is seldom prose."""

_HALF_CHARACTERS = dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")
_ONLY_ERRORS = 3


class Word(NamedTuple):
    """Tokens [first, end) of a text, and the characters they stand for."""

    first: int
    end: int
    place: Span


class Reading(NamedTuple):
    """What the heads say of a text.

    `logits` is one number a head: the mean of `by_token`, tokens x heads, but for the
    tokens that frame a text.
    """

    logits: Floats
    by_token: Floats
    words: list[Word]


class Encoder:
    """Reads texts; see `Reading`. Threads may share it.

    Args:
        folder: holds model.onnx and tokenizer.json.
        threads: of one text's computation.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ONLY_ERRORS
        options.enable_mem_pattern = False
        self._session = ort.InferenceSession(
            folder / "model.onnx", options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._start = self._tokenizer.token_to_id("[CLS]")
        self._end = self._tokenizer.token_to_id("[SEP]")

    def read(self, text: str) -> Reading:
        """What the heads say of `text`, of which only the beginning may be read."""
        head = text[:MAX_CHARACTERS].translate(_HALF_CHARACTERS)
        encoding = self._tokenizer.encode(head, add_special_tokens=False)
        size = WINDOW - 2
        count = min(max(1, -(-len(encoding.ids) // size)), MAX_WINDOWS)
        windows = [encoding.ids[n * size : (n + 1) * size] for n in range(count)]
        return _joined([self._run(window) for window in windows], encoding)

    def _run(self, window: list[int]) -> Floats:
        """What the heads say of each token, those that frame the window included."""
        ids = np.array([[self._start, *window, self._end]], dtype=np.int32)
        (said,) = self._session.run(
            ["token_logits"], {"ids": ids, "mask": np.ones_like(ids)}
        )
        found: Floats = said[0]
        return found


def _joined(windows: list[Floats], encoding: Encoding) -> Reading:
    """All windows as one text, each token counting the same."""
    by_token = np.concatenate([window[1:-1] for window in windows])
    logits = np.concatenate(windows).mean(axis=0)
    return Reading(logits, by_token, _words(encoding, len(by_token)))


def _words(encoding: Encoding, tokens: int) -> list[Word]:
    """The words of the first `tokens` tokens."""
    words: list[Word] = []
    before = None
    numbers, places = encoding.word_ids[:tokens], encoding.offsets[:tokens]
    for token, (number, (start, end)) in enumerate(zip(numbers, places, strict=True)):
        if words and number == before:
            word = words[-1]
            words[-1] = Word(word.first, token + 1, (word.place[0], end))
        else:
            words.append(Word(token, token + 1, (start, end)))
        before = number
    return words


@cache
def shipped_encoder(threads: int) -> Encoder:
    """The encoder of the package, loaded once in a process."""
    return Encoder(SHIPPED, threads)
