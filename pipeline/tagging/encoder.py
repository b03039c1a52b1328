"""A small BERT in two parts, read by onnxruntime: what a text is, as numbers.

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
_SLOW_FUSION = "SkipLayerNormFusion"
"""A text takes a fifth less time with the two operators that it would fuse."""


class Word(NamedTuple):
    """Tokens [first, end) of a text, and the characters they stand for."""

    first: int
    end: int
    place: Span


class Reading(NamedTuple):
    """What some layers make of a text.

    `states` are tokens x width; `pooled`, width, is their mean, but for the tokens that
    frame a text: those count in the mean and have no place among the states.
    """

    states: Floats
    pooled: Floats
    words: list[Word]


class Skimmed(NamedTuple):
    """What the lower layers make of a text, and all that the upper ones need."""

    windows: list[Floats]
    encoding: Encoding

    @property
    def pooled(self) -> Floats:
        """The mean over all tokens, width."""
        return _pooled(self.windows)

    @property
    def reading(self) -> Reading:
        """What a reading would be if there were no other layers."""
        return _joined(self.windows, self.encoding)


class Encoder:
    """Reads texts; see `Reading`. Threads may share it.

    Args:
        folder: holds lower.onnx, upper.onnx unless the lower layers are all there
            are, and tokenizer.json.
        threads: of one text's computation.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        self._lower = _session(folder / "lower.onnx", threads)
        upper = folder / "upper.onnx"
        self._upper = _session(upper, threads) if upper.exists() else None
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._start, self._end = self._tokenizer.encode("").ids

    def read(self, text: str) -> Reading:
        """What all layers make of `text`, of which only the beginning may be read."""
        return self.finish(self.skim(text))

    def skim(self, text: str) -> Skimmed:
        """What the lower layers make of `text`, likewise."""
        head = text[:MAX_CHARACTERS].translate(_HALF_CHARACTERS)
        encoding = self._tokenizer.encode(head, add_special_tokens=False)
        size = WINDOW - 2
        count = min(max(1, -(-len(encoding.ids) // size)), MAX_WINDOWS)
        windows = [encoding.ids[n * size : (n + 1) * size] for n in range(count)]
        return Skimmed([self._begun(window) for window in windows], encoding)

    def finish(self, skimmed: Skimmed) -> Reading:
        """What the upper layers make of what the lower ones did."""
        if self._upper is None:
            return skimmed.reading
        windows = [
            self._upper.run(["states"], {"below": window[np.newaxis]})[0][0]
            for window in skimmed.windows
        ]
        return _joined(windows, skimmed.encoding)

    def _begun(self, window: list[int]) -> Floats:
        """The states of the lower layers, of the tokens that frame the window too."""
        ids = np.array([[self._start, *window, self._end]], dtype=np.int32)
        states: Floats = self._lower.run(["states"], {"ids": ids})[0][0]
        return states


def _session(path: Path, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ONLY_ERRORS
    options.enable_mem_pattern = False
    return ort.InferenceSession(
        path, options, ["CPUExecutionProvider"], disabled_optimizers=[_SLOW_FUSION]
    )


def _joined(windows: list[Floats], encoding: Encoding) -> Reading:
    """All windows as one text, each token counting the same."""
    states = np.concatenate([window[1:-1] for window in windows])
    return Reading(states, _pooled(windows), _words(encoding, len(states)))


def _pooled(windows: list[Floats]) -> Floats:
    pooled: Floats = np.concatenate(windows).mean(axis=0)
    return pooled


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
