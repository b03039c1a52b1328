import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.records import Mark
from pipeline.tagging.labels import load_labels
from pipeline.tagging.tagger import TextToTag
from pipeline.training import cause_kinds
from pipeline.training.cause_kinds import (
    CLUSTERS,
    Figures,
    judge,
    likeliest,
    read_comments,
)

ROWS = [
    ("Two versions of the parser do not fit together.", "1"),
    ("The nightly build keeps breaking.", "2"),
    ("The tests keep failing.", "5"),
    ("Please squash.", "6"),
]


def cause(label: str, score: float) -> Mark:
    return Mark(task="cause", label=label, score=score, flagged=False, tagger="t-1")


class Sure:
    """A tagger that takes everything for a broken build."""

    name = "sure-1"

    def tag(self, texts: Sequence[TextToTag]) -> list[list[Mark]]:
        return [[cause("build-or-ci", 0.6)] for _ in texts]


def write(folder: Path) -> Path:
    (folder / "cause").mkdir()
    path = folder / "cause" / "frustration_clusters_dev.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["Comment", "Cause", "Cluster"])
        rows.writerows((text, "", cluster) for text, cluster in ROWS)
    return folder


def test_every_cluster_stands_for_kinds_on_the_list() -> None:
    kinds = {label.label for label in load_labels() if label.task == "cause"}
    assert kinds >= set().union(*CLUSTERS.values())


def test_a_cluster_without_a_kind_is_left_out(tmp_path: Path) -> None:
    assert len(read_comments(write(tmp_path))) == len(ROWS) - 1


def test_the_likeliest_kind_counts_if_it_is_likely_enough() -> None:
    marks = [cause("bug", 0.3), cause("documentation", 0.4)]
    assert likeliest(marks, 0.2) == "documentation"
    assert likeliest(marks, 0.5) is None
    assert likeliest([], 0.0) is None


def test_right_answers_are_those_of_the_cluster(tmp_path: Path) -> None:
    comments = read_comments(write(tmp_path))
    assert judge(Sure(), comments, 0.5) == Figures(answered=3, right=1)
    assert judge(Sure(), comments, 0.7) == Figures(answered=0, right=0)


def test_the_report_has_both_taggers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["cause_kinds", str(write(tmp_path))])
    assert cause_kinds.main() == 0
    out = capsys.readouterr().out
    assert out.startswith("3 comments\n")
    assert out.count("lexicon") == out.count("encoder") == 3
