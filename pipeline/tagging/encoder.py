"""A small BERT, read by onnxruntime: what a text is, as numbers.

Texts of as many tokens go through together, which costs less. As numbers are rounded on
fixed scales and nothing is padded, a text becomes the same alone and in company.
"""

import gzip
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from tokenizers import Encoding, Tokenizer

from pipeline.tagging.lexicon import MAX_CHARACTERS, Span
from pipeline.tagging.word_heads import FILE as WORDS
from pipeline.tagging.word_heads import Said, WordHeads

Floats = npt.NDArray[np.float32]

SHIPPED = Path(__file__).parent / "models" / "encoder"
WINDOW = 192
"""Tokens the model sees at once, as in training, the two that frame them included."""

TOGETHER = 256
"""Tokens that go through in one run: with more, less of the work stays in the cache."""

MAX_WINDOWS = 8
"""Of a text are read; what comes after the first 1,500 tokens is seldom prose."""

PACKED = ".onnx.gz"
"""Weights of 7 bits take a quarter less room so, and a tenth of a second to unpack."""

_HALF_CHARACTERS = dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")
_ONLY_ERRORS = 3
_SLOW_FUSION = "SkipLayerNormFusion"
"""A text takes a fifth less time with the two operators that it would fuse."""


_NO_STATES = np.zeros((0, 0), np.float32)

Windows = npt.NDArray[np.int32] | Floats
"""One window: tokens, or their states."""


class Word(NamedTuple):
    """Tokens [first, end) of a text, and the characters they stand for."""

    first: int
    end: int
    place: Span


class Reading(NamedTuple):
    """What some layers make of a text.

    `states` are tokens x width; `pooled`, width, is their mean, but for the tokens that
    frame a text: those count in the mean and have no place among the states. The last
    columns are what the words say by themselves, a label each, where they have a say.
    """

    states: Floats
    pooled: Floats
    words: list[Word]


class Read(NamedTuple):
    """What some layers make of a text's windows, each tokens x width.

    `said` is what the words say by themselves.
    """

    windows: list[Floats]
    encoding: Encoding
    said: Said

    @property
    def mean(self) -> Floats:
        """The mean over all tokens, width."""
        mean: Floats = np.concatenate(self.windows).mean(axis=0)
        return mean

    @property
    def pooled(self) -> Floats:
        """The same, and what the words say beside it."""
        return np.concatenate([self.mean, self.said.logits])

    @property
    def reading(self) -> Reading:
        """All windows as one text, each token counting the same."""
        states = np.concatenate([window[1:-1] for window in self.windows])
        starts = [start for start, _ in self.encoding.offsets[: len(states)]]
        said = self.said.by_token(np.array(starts, dtype=np.int64)) * len(states)
        return Reading(
            np.concatenate([states, said], axis=1),
            self.pooled,
            _words(self.encoding, len(states)),
        )


class Encoder:
    """Reads texts; see `Reading`. Threads may share it.

    Args:
        folder: holds lower.onnx.gz, on which others stand; upper.onnx.gz, the layers;
            perhaps shallow.onnx.gz, a few other layers, cheaper; perhaps words.weights,
            what words say by themselves; and tokenizer.json.
        threads: of one text's computation.
    """

    def __init__(self, folder: Path, threads: int) -> None:
        lower, upper, shallow = (
            folder / f"{name}{PACKED}" for name in ("lower", "upper", "shallow")
        )
        self._lower, self._upper = _session(lower, threads), _session(upper, threads)
        self._shallow = _session(shallow, threads) if shallow.exists() else None
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._start, self._end = self._tokenizer.encode("").ids
        self.words = WordHeads.load(folder / WORDS)

    def read(self, text: str) -> Reading:
        """What all layers make of `text`, of which only the beginning may be read."""
        (finished,) = self.finish(self.begin([text]))
        return finished.reading

    def begin(
        self, texts: Sequence[str], said: Sequence[Said] | None = None
    ) -> list[Read]:
        """What the lower part makes of texts, likewise; others go on from there.

        Args:
            texts: to begin with.
            said: what their words say, if that is known.
        """
        encodings = [self._encoded(text) for text in texts]
        windows = [[self._framed(one) for one in _cut(each.ids)] for each in encodings]
        states = _run(self._lower, "ids", windows)
        if said is None:
            said = [self.words.read(text) for text in texts]
        return [Read(*parts) for parts in zip(states, encodings, said, strict=True)]

    def skim(self, begun: Sequence[Read]) -> list[Read]:
        """What a few layers make of them, where there are such."""
        return _further(self._shallow or self._upper, begun)

    def finish(
        self, begun: Sequence[Read], skimmed: Sequence[Read] | None = None
    ) -> list[Read]:
        """What all layers make of them; the few ones' states stand beside the others'.

        Args:
            begun: what to go on from.
            skimmed: what the few layers made of them, if that is known.
        """
        finished = _further(self._upper, begun)
        if self._shallow is None:
            return finished
        few = self.skim(begun) if skimmed is None else skimmed
        return [_beside(*pair) for pair in zip(finished, few, strict=True)]

    def _encoded(self, text: str) -> Encoding:
        head = text[:MAX_CHARACTERS].translate(_HALF_CHARACTERS)
        return self._tokenizer.encode(head, add_special_tokens=False)

    def _framed(self, window: list[int]) -> npt.NDArray[np.int32]:
        return np.array([self._start, *window, self._end], dtype=np.int32)


def _cut(ids: list[int]) -> list[list[int]]:
    """Windows of a text's tokens; one where there are none."""
    size = WINDOW - 2
    count = min(max(1, -(-len(ids) // size)), MAX_WINDOWS)
    return [ids[n * size : (n + 1) * size] for n in range(count)]


def _further(session: ort.InferenceSession, begun: Sequence[Read]) -> list[Read]:
    states = _run(session, "below", [each.windows for each in begun])
    pairs = zip(begun, states, strict=True)
    return [each._replace(windows=windows) for each, windows in pairs]


def _beside(one: Read, other: Read) -> Read:
    pairs = zip(one.windows, other.windows, strict=True)
    return one._replace(windows=[np.concatenate(pair, axis=1) for pair in pairs])


def _run(
    session: ort.InferenceSession, name: str, texts: Sequence[Sequence[Windows]]
) -> list[list[Floats]]:
    """The states of each text's windows; those of one length share runs."""
    alike: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, windows in enumerate(texts):
        for place, window in enumerate(windows):
            alike[len(window)].append((number, place))
    found: list[list[Floats]] = [[_NO_STATES] * len(windows) for windows in texts]
    for length, places in alike.items():
        together = max(1, TOGETHER // length)
        for start in range(0, len(places), together):
            some = places[start : start + together]
            given = np.stack([texts[number][place] for number, place in some])
            (states,) = session.run(["states"], {name: given})
            for (number, place), own in zip(some, states, strict=True):
                found[number][place] = own
    return found


def _session(path: Path, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ONLY_ERRORS
    options.enable_mem_pattern = False
    return ort.InferenceSession(
        unpacked(path),
        options,
        ["CPUExecutionProvider"],
        disabled_optimizers=[_SLOW_FUSION],
    )


def unpacked(path: Path) -> bytes:
    """A model as onnxruntime takes it."""
    return gzip.decompress(path.read_bytes())


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
def load_encoder(folder: Path, threads: int) -> Encoder:
    """The encoder in a folder, loaded once in a process."""
    return Encoder(folder, threads)


def shipped_encoder(threads: int) -> Encoder:
    """The encoder of the package."""
    return load_encoder(SHIPPED, threads)
