"""The labelled sets to train on, with their licences and held-out texts; and chats.

`docs/training.md` says where each comes from. What needs texts and labels alone reads
them with `pipeline.tagging.corpora`.
"""

import gzip
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from pipeline.errors import InputError
from pipeline.tagging import corpora
from pipeline.tagging.corpora import SHAVER, Corpus, table

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

SPLIT_SEED = 100
"""Of the split that every training shares; `pipeline.training.calibrate` has it too."""

COMMON = 12
"""Times that a label of an open list must be given for an output of its own."""

MOST_INTENSE = 3.0
CHAT_CHARACTERS = range(12, 1_501)
_KEPT_CHARACTERS = 600

_INTENSITIES = ("anger", "fear", "joy", "sadness", "surprise")
_JIRA = ("anger", "joy", "love", "sadness")
_NO_TONE = "None"
_MISSPELT = {
    "disappoinment": "disappointment",
    "embarassment": "embarrassment",
    "irritaion": "irritation",
    "realiazation": "realization",
    "opitmism": "optimism",
    "confuison": "confusion",
}


class Output(NamedTuple):
    """What one number that a network gives speaks for."""

    task: str
    label: str


class Labelled(NamedTuple):
    """Texts and what people said of them.

    `targets` is texts x outputs, from 0 (no) to 1 (yes), NaN where nobody looked.
    """

    outputs: list[Output]
    texts: list[str]
    targets: Floats


class Source(NamedTuple):
    """A labelled set as it is published.

    `repeats` says how often an epoch shows each text, so that small sets count.
    `read_dev` reads the texts its authors hold out; without it a fifth is.
    """

    name: str
    title: str
    licence: str
    platform: str
    repeats: int
    read: Callable[[Path], Labelled]
    read_dev: Callable[[Path], Labelled] | None = None


class LabelledSet(NamedTuple):
    """A set that was read; no training sees the texts `held_out`."""

    source: Source
    outputs: list[Output]
    texts: list[str]
    targets: Floats
    held_out: Bools


class ChatStream(NamedTuple):
    """Messages without labels."""

    name: str
    title: str
    licence: str


class Chat(msgspec.Struct, frozen=True):
    """A message of a stream."""

    id: str
    text: str


def read_sets(data: Path, without: Sequence[str]) -> list[LabelledSet]:
    """All sets but some. The split of each is the same, whichever others are left out.

    Raises:
        InputError: a set's file is not there, or is not as its authors publish it.
    """
    read = [(source, _read(source, data, without)) for source in SETS]
    fifths = [s for s in read if s[0].read_dev is None and s[1] is not None]
    sizes = [len(labelled.texts) for _, labelled in fifths if labelled]
    names = [source.name for source, _ in fifths]
    split = dict(zip(names, held_out(sizes), strict=True))
    return [
        _with_dev(source, labelled, data)
        if source.read_dev
        else LabelledSet(source, *labelled, split[source.name])
        for source, labelled in read
        if labelled and source.name not in without
    ]


def held_out(sizes: Sequence[int]) -> list[Bools]:
    """Of each set the fifth that no training sees, sets in the order of `SETS`."""
    random = np.random.default_rng(SPLIT_SEED)
    return [_marked(size, random.permutation(size)[: size // 5]) for size in sizes]


def another_fifth(held: Bools, seed: int) -> Bools:
    """A fifth, of one teacher's own, of the texts that are not held out."""
    free = np.flatnonzero(~held)
    chosen = np.random.default_rng(seed).permutation(free)[: len(held) // 5]
    return _marked(len(held), chosen)


def read_chats(data: Path, without: Sequence[str]) -> list[Chat]:
    """The chats' messages, the first of equal ones, neither too short nor too long.

    Raises:
        InputError: a stream is not there.
    """
    seen: dict[str, str] = {}
    for stream in CHATS:
        if stream.name not in without:
            for chat in _stream(data / "streams" / f"{stream.name}.jsonl.gz"):
                text = chat.text.strip()
                if len(text) in CHAT_CHARACTERS:
                    seen.setdefault(text[:_KEPT_CHARACTERS], chat.id)
    return [Chat(number, text) for text, number in seen.items()]


def _read(source: Source, data: Path, without: Sequence[str]) -> Labelled | None:
    """A set, or None where it is left out and is not there either."""
    try:
        return source.read(data)
    except FileNotFoundError as error:
        if source.name in without:
            return None
        raise InputError(
            f"{error.filename} is not there: put the set {source.name} there, or "
            f"train --without {source.name}"
        ) from error
    except (KeyError, ValueError, IndexError) as error:
        raise InputError(
            f"the set {source.name} in {data} is not as its authors publish it "
            f"({error!r}): replace it, or train --without {source.name}"
        ) from error


def _with_dev(source: Source, labelled: Labelled, data: Path) -> LabelledSet:
    assert source.read_dev
    dev = source.read_dev(data)
    targets = np.concatenate([labelled.targets, dev.targets])
    held = np.arange(len(targets)) >= len(labelled.texts)
    return LabelledSet(
        source, labelled.outputs, labelled.texts + dev.texts, targets, held
    )


def _stream(path: Path) -> Iterator[Chat]:
    decode = msgspec.json.Decoder(Chat).decode
    try:
        with gzip.open(path, "rb") as lines:
            yield from map(decode, lines)
    except FileNotFoundError as error:
        raise InputError(
            f"{path} is not there: put it there, or train --without {path.stem[:-6]}"
        ) from error
    except (OSError, EOFError, msgspec.MsgspecError) as error:
        raise InputError(f"{path} cannot be read ({error}): replace it") from error


# ── readers ─────────────────────────────────────────────────────────────────────


def _goemotions(data: Path, part: str) -> Labelled:
    corpus = corpora.goemotions(data, part)
    names = (data / "emotion" / "goemotions_labels.txt").read_text(encoding="utf-8")
    return _of_corpus(corpus, corpus.task, names.split())


def _github(data: Path) -> Labelled:
    """Basic emotions, and the secondary ones that are common enough."""
    basic = _of_corpus(corpora.github(data), "basic-emotion on GitHub", SHAVER)
    rows = table(data / "emotion" / "se_github_train.csv")
    given = [_secondary(row["Emotion 2"], row["Emotion 3"]) for row in rows]
    named = Corpus("", frozenset(), basic.texts, given)
    second = _of_corpus(named, "secondary emotion on GitHub", _common(given))
    return Labelled(
        basic.outputs + second.outputs,
        basic.texts,
        np.concatenate([basic.targets, second.targets], axis=1),
    )


def _secondary(*columns: str) -> frozenset[str]:
    names = {name.strip().lower() for text in columns for name in text.split(",")}
    return frozenset(_MISSPELT.get(name, name) for name in names) - {"", "-", "none"}


def _stack_overflow(data: Path) -> Labelled:
    corpus = corpora.stack_overflow(data)
    return _of_corpus(corpus, "basic-emotion on Stack Overflow", SHAVER)


def _jira(data: Path) -> Labelled:
    """Four files, one an emotion; a text that several hold is one text here."""
    found: dict[str, Floats] = {}
    for column, emotion in enumerate(_JIRA):
        for row in table(data / "emotion" / f"jira_{emotion}_train.csv"):
            if row["label"]:
                blank = np.full(len(_JIRA), np.nan, np.float32)
                found.setdefault(row["text"], blank)[column] = float(row["label"])
    outputs = _outputs("basic-emotion on Jira", _JIRA)
    return Labelled(outputs, list(found), np.array(list(found.values())))


def _brighter(data: Path, part: str) -> Labelled:
    """How strong an emotion is stands for how likely it is."""
    rows = list(table(data / "emotion" / f"brighter_eng_{part}.csv"))
    given = [[float(row[name]) for name in _INTENSITIES] for row in rows]
    outputs = _outputs("emotion intensity, BRIGHTER English", _INTENSITIES)
    targets = np.array(given, np.float32) / np.float32(MOST_INTENSE)
    return Labelled(outputs, [row["text"] for row in rows], targets)


def _xed(data: Path) -> Labelled:
    corpus = corpora.plutchik(data)
    return _of_corpus(corpus, "Plutchik, XED English", sorted(corpus.known))


def _dreaddit(data: Path) -> Labelled:
    rows = list(table(data / "mental_health" / "dreaddit_train.csv"))
    outputs = _outputs("stress, Dreaddit", ["stress"])
    targets = np.array([[float(row["label"])] for row in rows], np.float32)
    return Labelled(outputs, [row["text"] for row in rows], targets)


def _incivility(data: Path) -> Labelled:
    """The tones that are common enough, and whether there is any."""
    rows = list(table(data / "incivility" / "github_incivility_train.csv"))
    given = [frozenset({row["tbdf"], "any"}) - {_NO_TONE} for row in rows]
    given = [tones if len(tones) > 1 else frozenset() for tones in given]
    corpus = Corpus("", frozenset(), [row["comment_body"] for row in rows], given)
    return _of_corpus(corpus, "incivility on GitHub", _common(given))


def _of_corpus(corpus: Corpus, task: str, labels: Sequence[str]) -> Labelled:
    truth = [[label in given for label in labels] for given in corpus.labels]
    return Labelled(_outputs(task, labels), corpus.texts, np.array(truth, np.float32))


def _outputs(task: str, labels: Sequence[str]) -> list[Output]:
    return [Output(task, label) for label in labels]


def _common(given: Sequence[frozenset[str]]) -> list[str]:
    counts = Counter(label for labels in given for label in labels)
    return sorted(label for label, count in counts.items() if count >= COMMON)


def _marked(size: int, rows: npt.NDArray[np.int64]) -> Bools:
    marked = np.zeros(size, dtype=bool)
    marked[rows] = True
    return marked


_CC_BY = "CC BY 4.0"
_NONE = "none stated"

# GitHub and Stack Overflow come first: their fifths are those that the encoders at
# hand have not seen, either.
SETS = (
    Source("github", "GitHub emotions, Imran et al. 2022", _NONE, "github", 4, _github),
    Source(
        "stackoverflow",
        "Stack Overflow emotions, Novielli et al. 2018",
        "texts CC BY-SA",
        "stackexchange",
        2,
        _stack_overflow,
    ),
    Source("jira", "Jira emotions, Ortu et al. 2016", _NONE, "jira", 1, _jira),
    Source(
        "dreaddit",
        "Dreaddit (stress), Turcan and McKeown 2019",
        "offered for research",
        "reddit",
        2,
        _dreaddit,
    ),
    Source("incivility", "incivility on GitHub", "MIT", "github", 2, _incivility),
    Source("xed", "XED English, Öhman et al. 2020", _CC_BY, "subtitles", 1, _xed),
    Source(
        "goemotions",
        "GoEmotions, Demszky et al. 2020",
        f"{_CC_BY} / Apache-2.0",
        "reddit",
        1,
        partial(_goemotions, part="train"),
        partial(_goemotions, part="dev"),
    ),
    Source(
        "brighter",
        "BRIGHTER English, Muhammad et al. 2025",
        _CC_BY,
        "twitter",
        2,
        partial(_brighter, part="train"),
        partial(_brighter, part="dev"),
    ),
)

CHATS = (
    ChatStream("duraspace_irc", "DuraSpace IRC", _CC_BY),
    ChatStream("gitter_dev_chat", "Gitter", f"MIT or {_NONE}"),
    ChatStream("slack_dev_chat", "Slack", f"MIT or {_NONE}"),
    ChatStream("ubuntu_irc", "Ubuntu IRC", f"public domain, {_CC_BY}"),
)
