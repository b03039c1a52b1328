"""What markers, tone, valence and intensity are learned from: texts and their labels.

docs/markers.md says where each comes from.
"""

import csv
import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.tagging import corpora

HERE = Path(__file__).parent

LEARNED = (
    "anxiety",
    "burnout",
    "sleep",
    "loneliness",
    "depressed-mood",
    "anhedonia",
    "appetite-change",
    "sleep-disturbance",
    "fatigue",
    "worthlessness",
    "poor-concentration",
)
"""Markers that enough sentences were given to learn from."""

SEVERE = 5.0
"""Of ten, how bad a stressor is that puts whoever names it under strain."""

CHATS = ("ubuntu_irc", "gitter_dev_chat", "slack_dev_chat", "duraspace_irc")
_DRAW = 5
_SHORTEST = 12

_SYMPTOMS = {
    "Anxious_Mood": ("anxiety",),
    "panic_fear": ("anxiety",),
    "Depressed_Mood": ("depressed-mood",),
    "loss_of_interest_or_motivation": ("anhedonia",),
    "weight_and_appetite_change": ("appetite-change",),
    "sleep_disturbance": ("sleep", "sleep-disturbance"),
    "Decreased_energy_tiredness_fatigue": ("fatigue",),
    "Worthlessness_and_guilty": ("worthlessness",),
    "Inattention": ("poor-concentration",),
    "Indecisiveness": ("poor-concentration",),
    "poor_memory": ("poor-concentration",),
}

TONES = {
    "uncivil": "any",
    "bitter-frustration": "Bitter frustration",
    "impatience": "Impatience",
    "insulting": "Insulting",
    "mocking": "Mocking",
    "entitlement": "Entitlement",
    "vulgarity": "Vulgarity",
    "irony": "Irony",
}
"""What the encoder calls the features of the data; any of them is uncivil."""

_FRUSTRATED = ("frustration", "exasperation", "annoyance")
_GROUPS = {
    "positive": frozenset(
        {"admiration", "amusement", "approval", "caring", "desire", "excitement"}
        | {"gratitude", "joy", "love", "optimism", "pride", "relief"}
    ),
    "negative": frozenset(
        {"anger", "annoyance", "disappointment", "disapproval", "disgust", "fear"}
        | {"embarrassment", "grief", "nervousness", "remorse", "sadness"}
    ),
}


class Texts(NamedTuple):
    """Texts, the labels that each has, and how much each of them counts."""

    texts: list[str]
    labels: list[frozenset[str]]
    weight: float = 1.0


def sad(data: Path) -> Texts:
    """SAD's sentences about everyday stressors, and which of them are severe ones.

    Mauriello et al. (2021). The label is `stress`.
    """
    rows = list(corpora.table(data / "mental_health" / "sad_stress.csv"))
    severe = [
        row["is_stressor"] == "1" and float(row["avg_severity"] or 0) >= SEVERE
        for row in rows
    ]
    labels = [frozenset({"stress"} if yes else ()) for yes in severe]
    return Texts([row["sentence"] for row in rows], labels)


def sad_readings(data: Path) -> tuple[Texts, list[bool]]:
    """Those of SAD's sentences that were read for markers, and which by chance alone.

    markers_sad.tsv holds the readings; the others were chosen for their words.
    """
    path = data / "mental_health" / "sad_stress.csv"
    said = {row["sID"]: row["sentence"] for row in corpora.table(path)}
    rows = _table(HERE / "markers_sad.tsv")
    texts = [said[row["id"]] for row in rows]
    labels = [frozenset(row["labels"].split()) for row in rows]
    return Texts(texts, labels), [row["chosen"] == "at random" for row in rows]


def sentences() -> Texts:
    """Sentences written for this project: what developers say, and what misleads."""
    lines = (HERE / "markers_sentences.tsv").read_text(encoding="utf-8").splitlines()
    split = [line.split("\t") for line in lines]
    labels = [frozenset(given.split()) - {"-"} for given, _ in split]
    return Texts([text for _, text in split], labels)


def symptoms(data: Path) -> Texts:
    """Descriptions of symptoms, of the knowledge graph of Zhang et al. (2022)."""
    path = data / "mental_health" / "psysym_kg.json"
    graph = json.loads(path.read_text(encoding="utf-8"))
    described = zip(graph["id2symp"], graph["symp_id2desc_range"], strict=True)
    pairs = [
        (graph["id2desc"][number], frozenset(_SYMPTOMS[name]))
        for name, (first, end) in described
        if name in _SYMPTOMS
        for number in range(first, end)
    ]
    return Texts([text for text, _ in pairs], [given for _, given in pairs], 0.5)


def chats(data: Path, count: int, weight: float) -> Texts:
    """Some messages of each chat, held to have none of the labels.

    Args:
        data: holds `streams`.
        count: how many of each chat, always the same ones first.
        weight: how much each of them counts.
    """
    texts = [text for name in CHATS for text in _drawn(data, name, count)]
    return Texts(texts, [frozenset()] * len(texts), weight)


def messages(data: Path, name: str, shortest: int) -> list[str]:
    """The different messages of a chat that have so many characters at least."""
    path = data / "streams" / f"{name}.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        said = (json.loads(line)["text"] for line in file)
        return list(dict.fromkeys(text for text in said if len(text) >= shortest))


def incivility(data: Path) -> Texts:
    """Comments of locked GitHub issues with their tone (Ehsani et al., 2024)."""
    path = data / "incivility" / "github_incivility_train.csv"
    rows = list(corpora.table(path))
    labels = [frozenset(_tones(row["tbdf"])) for row in rows]
    return Texts([row["comment_body"] for row in rows], labels)


def frustration(data: Path) -> Texts:
    """GitHub comments with their secondary emotions (Imran et al., 2022)."""
    rows = list(corpora.table(data / "emotion" / "se_github_train.csv"))
    given = [
        f"{row['Emotion 2']},{row['Emotion 3']}".lower().split(",") for row in rows
    ]
    frustrated = [any(name.strip() in _FRUSTRATED for name in names) for names in given]
    labels = [frozenset({"frustration"} if yes else ()) for yes in frustrated]
    return Texts([row["modified_comment"] for row in rows], labels)


def stress(data: Path) -> Texts:
    """Reddit posts of people in distress (Turcan and McKeown, 2019)."""
    rows = list(corpora.table(data / "mental_health" / "dreaddit_train.csv"))
    labels = [frozenset({"stress"} if row["label"] == "1" else ()) for row in rows]
    return Texts([row["text"] for row in rows], labels)


def valence(data: Path) -> Texts:
    """GoEmotions' dev comments, pleasant and unpleasant emotions put together."""
    corpus = corpora.goemotions(data, "dev")
    labels = [
        frozenset(name for name, group in _GROUPS.items() if given & group)
        for given in corpus.labels
    ]
    return Texts(corpus.texts, labels)


def intensity(data: Path, part: str) -> Texts:
    """BRIGHTER's English posts, and which of them hold a strong emotion."""
    rows = list(corpora.table(data / "emotion" / f"brighter_eng_{part}.csv"))
    emotions = [name for name in rows[0] if name not in {"id", "text"}]
    strongest = [max(int(row[name] or 0) for name in emotions) for row in rows]
    labels = [frozenset({"strong"} if most >= 2 else ()) for most in strongest]  # noqa: PLR2004 - of 3
    return Texts([row["text"] for row in rows], labels)


def truth(labels: Sequence[frozenset[str]], names: Sequence[str]) -> np.ndarray:
    """Texts x names, 1 where a text has the label."""
    return np.array([[name in given for name in names] for given in labels], float)


def _tones(feature: str) -> Iterator[str]:
    if feature != "None":
        yield "uncivil"
    yield from (label for label, name in TONES.items() if name == feature)


def _drawn(data: Path, name: str, count: int) -> list[str]:
    once = messages(data, name, _SHORTEST)
    order = np.random.default_rng(_DRAW).permutation(len(once))
    return [once[number] for number in order[:count]]


def _table(path: Path) -> list[dict[str, str]]:
    lines: Iterable[str] = path.read_text(encoding="utf-8").splitlines()
    return [
        {key: value or "" for key, value in row.items()}
        for row in csv.DictReader(lines, delimiter="\t")
    ]
