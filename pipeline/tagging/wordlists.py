"""The shipped word lists: phrases, the labels they speak for, and how strongly.

lexicons/README.md describes the files and their sources.
"""

from importlib.resources import files
from typing import NamedTuple

COLUMNS = ("label", "prior", "weight", "origin", "phrase")


class Entry(NamedTuple):
    """One line of a list: a phrase speaks for a label.

    `prior` is what its author thought, `weight` what the data made of it; both add
    to the logit of the label's probability. `origin` says who thought of it.
    """

    label: str
    prior: float
    weight: float
    origin: str
    phrase: str


def load_entries(task: str) -> list[Entry]:
    """The list of one task, in its file's order."""
    return parse_entries(_read(f"{task}.tsv"))


def load_phrases(name: str) -> list[str]:
    """A list of phrases that speak for no label: `technical`, say."""
    return _read(f"{name}.txt").splitlines()


def parse_entries(tsv: str) -> list[Entry]:
    """The lines of a tab-separated list with the header `COLUMNS`.

    Raises:
        ValueError: a line has not these columns.
    """
    header, *lines = tsv.splitlines() or [""]
    if tuple(header.split("\t")) != COLUMNS:
        raise ValueError(f"the header must be {' '.join(COLUMNS)}, tab-separated")
    entries = []
    for line in lines:
        label, prior, weight, origin, phrase = line.split("\t")
        entries.append(Entry(label, float(prior), float(weight), origin, phrase))
    return entries


def format_entries(entries: list[Entry]) -> str:
    """The list as `parse_entries` reads it."""
    rows = [
        f"{e.label}\t{e.prior:g}\t{e.weight:.2f}\t{e.origin}\t{e.phrase}"
        for e in entries
    ]
    return "\n".join(["\t".join(COLUMNS), *rows, ""])


def _read(name: str) -> str:
    folder = files("pipeline.tagging").joinpath("lexicons")
    return folder.joinpath(name).read_text(encoding="utf-8")
