"""Labelled texts, from the files their authors published them in.

`docs/tagging.md` says where each comes from, and which of them what was fitted on.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.tagging.labels import Label, load_labels

SHAVER = ("anger", "fear", "joy", "love", "sadness", "surprise")
_BRIGHTER = ("anger", "fear", "joy", "sadness", "surprise")
_PLUTCHIK = {
    "1": "anger",
    "2": "anticipation",
    "3": "disgust",
    "4": "fear",
    "5": "joy",
    "6": "sadness",
    "7": "surprise",
    "8": "trust",
}


class Corpus(NamedTuple):
    """Texts and the labels of one task that people gave them.

    `known` are the labels they looked for; nothing is known of any other.
    """

    task: str
    known: frozenset[str]
    texts: list[str]
    labels: list[frozenset[str]]


def goemotions(data: Path, part: str) -> Corpus:
    """Reddit comments with GoEmotions' labels (Demszky et al., 2020)."""
    folder = data / "emotion"
    names = (folder / "goemotions_labels.txt").read_text(encoding="utf-8").split()
    lines = (folder / f"goemotions_{part}.tsv").read_text(encoding="utf-8").split("\n")
    rows = [line.split("\t") for line in lines if line]
    labels = [frozenset(names[int(i)] for i in row[1].split(",")) for row in rows]
    return Corpus("fine-emotion", frozenset(names), [row[0] for row in rows], labels)


def basic(corpus: Corpus) -> Corpus:
    """The same texts with the basic emotions that the fine ones hang under."""
    parents = basic_parents(load_labels())
    labels = [
        frozenset(parents[label] for label in given if label in parents)
        for given in corpus.labels
    ]
    known = frozenset(parents[label] for label in corpus.known if label in parents)
    return Corpus("basic-emotion", known, corpus.texts, labels)


def basic_parents(labels: list[Label]) -> dict[str, str]:
    """Of each fine emotion the basic one it hangs under, the nearest of them."""
    known = {label.label for label in labels if label.task == "basic-emotion"}
    return {
        label.label: next(tier for tier in reversed(tiers) if tier in known)
        for label in labels
        if label.task == "fine-emotion" and (tiers := (label.parent or "").split("/"))
        if known.intersection(tiers)
    }


def xed(data: Path) -> Corpus:
    """The basic emotions among those of `plutchik`."""
    corpus = plutchik(data)
    known = corpus.known - {"anticipation", "trust"}
    labels = [given & known for given in corpus.labels]
    return Corpus("basic-emotion", known, corpus.texts, labels)


def plutchik(data: Path) -> Corpus:
    """Subtitles with Plutchik's emotions (Öhman et al., 2020), tokens rejoined."""
    path = data / "emotion" / "xed_en.tsv"
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = [line.rpartition("\t") for line in lines]
    labels = [
        frozenset(_PLUTCHIK[n] for n in numbers.split(", ") if n in _PLUTCHIK)
        for _, _, numbers in rows
    ]
    texts = [_rejoined(text) for text, _, _ in rows]
    return Corpus("plutchik", frozenset(_PLUTCHIK.values()), texts, labels)


def brighter(data: Path, part: str) -> Corpus:
    """English posts of SemEval-2025 task 11 (Muhammad et al., 2025)."""
    rows = list(table(data / "emotion" / f"brighter_eng_{part}.csv"))
    labels = [frozenset(n for n in _BRIGHTER if row[n] > "0") for row in rows]
    texts = [row["text"] for row in rows]
    return Corpus("basic-emotion", frozenset(_BRIGHTER), texts, labels)


def github(data: Path) -> Corpus:
    """GitHub comments (Imran et al., 2022)."""
    return _shaver(data / "emotion" / "se_github_train.csv", "modified_comment")


def stack_overflow(data: Path) -> Corpus:
    """Stack Overflow posts (Novielli et al., 2018)."""
    return _shaver(data / "emotion" / "stackoverflow_train.csv", "Text")


def table(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV file by its header; what is not UTF-8 is replaced."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        yield from csv.DictReader(file)


def _shaver(path: Path, text: str) -> Corpus:
    rows = list(table(path))
    labels = [
        frozenset(name for name in SHAVER if row[name.capitalize()] == "1")
        for row in rows
    ]
    return Corpus("basic-emotion", frozenset(SHAVER), [r[text] for r in rows], labels)


def _rejoined(tokens: str) -> str:
    for mark in (".", ",", "!", "?", "'", "n't"):
        tokens = tokens.replace(f" {mark}", mark)
    return tokens
