"""How good the kinds of causes are: python -m pipeline.training.cause_kinds DATA.

DATA is a folder that holds cause/frustration_clusters_dev.csv as its authors publish
it: comments on TensorFlow's issues, each in the cluster of what caused its frustration
(Imran et al., 2024). Nothing is fitted. Printed is how many comments are given a kind,
and of how many the likeliest one is the cluster's, by the lexicon and by the encoder.
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.config import TaggingSettings
from pipeline.records import Mark
from pipeline.tagging.load import load_tagger
from pipeline.tagging.tagger import Tagger, TextToTag

CLUSTERS = {
    "1": frozenset({"version-or-dependency"}),
    "2": frozenset({"build-or-ci", "environment"}),
    "3": frozenset({"build-or-ci"}),
    "4": frozenset({"review-delay", "merge-conflict"}),
    "5": frozenset({"failing-test"}),
}
"""What we call them. The sixth, squashing commits, we have no kind for."""

LEVELS = (0.0, 0.2, 0.5)
_TASK = "cause"


class Comment(NamedTuple):
    """A text and the kinds of cause that its cluster stands for."""

    text: str
    kinds: frozenset[str]


class Figures(NamedTuple):
    """Comments that are given a kind, and those given a right one."""

    answered: int
    right: int


def read_comments(data: Path) -> list[Comment]:
    """The comments whose cluster has a kind."""
    path = data / "cause" / "frustration_clusters_dev.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [(row["Comment"], row["Cluster"]) for row in csv.DictReader(file)]
    return [Comment(text, CLUSTERS[name]) for text, name in rows if name in CLUSTERS]


def likeliest(marks: Sequence[Mark], least: float) -> str | None:
    """The likeliest kind of cause that is at least so likely."""
    kinds = [mark for mark in marks if mark.task == _TASK and mark.score >= least]
    best = max(kinds, key=lambda mark: mark.score, default=None)
    return best.label if best else None


def judge(tagger: Tagger, comments: Sequence[Comment], least: float) -> Figures:
    """How often a tagger is right, saying nothing where it is less sure."""
    texts = [TextToTag(comment.text, "en", "github", ()) for comment in comments]
    said = [likeliest(marks, least) for marks in tagger.tag(texts)]
    pairs = zip(said, comments, strict=True)
    return Figures(
        sum(kind is not None for kind in said),
        sum(kind in comment.kinds for kind, comment in pairs),
    )


def main() -> int:
    """Read and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    comments = read_comments(parser.parse_args().data)
    sys.stdout.write(f"{len(comments)} comments\n")
    for name in ("lexicon", "encoder"):
        settings = TaggingSettings(tagger=name)
        tagger = load_tagger(settings, suicidality=False)
        for least in LEVELS:
            answered, right = judge(tagger, comments, least)
            sys.stdout.write(
                f"{name:8} from {least:.1f}: {answered:3} answered, {right:3} right\n"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
