import csv
from pathlib import Path

import numpy as np
import pytest
from shipped_copy import link_shipped

from pipeline.tagging.cause_model import FILE, SpanModel, load_model
from pipeline.tagging.encoder import SHIPPED, shipped_encoder
from pipeline.training import causes
from pipeline.training.causes import (
    Table,
    cross_validate,
    find_directions,
    fit_score,
    measure,
    read_comments,
    report,
    study,
)

ROWS = [
    ("Thanks for the fix! Merging it now.", "Thanks for the fix!"),
    ("Sorry, I forgot the tests. Pushed them.", "I forgot the tests."),
    ("I don't understand this check. Is it needed?", "I don't understand this check."),
    ("Done. Sadly the cache is still slow.", "Sadly the cache is still slow."),
    ("Great idea. I will try it tomorrow.", "Great idea."),
]


def write(folder: Path) -> Path:
    (folder / "cause").mkdir()
    path = folder / "cause" / "se_cause_dev.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "comment", "cause_span"])
        rows.writerows((n, *row) for n, row in enumerate([*ROWS, ("no span", " ")]))
    return folder


def test_what_spans_have_in_common_is_measured_as_in_papers() -> None:
    assert measure("the same words", "The same, words!") == (1.0, 1.0, 1.0)
    assert measure("a cause", "") == (0.0, 0.0, 0.0)
    characters, words, f1 = measure("it broke again", "it broke")
    assert f1 == pytest.approx(0.8)
    assert words == pytest.approx(np.exp(-0.5))
    assert 0.4 < characters < f1


def test_bleu_is_nltks() -> None:
    bleu = pytest.importorskip("nltk.translate.bleu_score")
    for want, got in (("a b c d e", "b c d x"), ("a b", "c d"), ("a", "a b c d a")):
        theirs = bleu.sentence_bleu(
            [want.split()],
            got.split(),
            weights=(0.5, 0.5),
            smoothing_function=bleu.SmoothingFunction().method1,
        )
        assert measure(want, got).words == pytest.approx(theirs)


def test_fitting_learns_what_was_marked_and_writes_the_same_file_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(causes, "REPEATS", 1)
    data = str(write(tmp_path))
    written = []
    for name in ("one", "two"):
        model = link_shipped(tmp_path / name, {"spans.npz", "spans.toml"})
        monkeypatch.setattr("sys.argv", ["causes", data, str(model)])
        assert causes.main() == 0
        written.append((model / FILE).read_bytes())
    assert written[0] == written[1]
    assert "cross-validated" in capsys.readouterr().out
    spans = SpanModel.load(tmp_path / "one" / FILE)
    (studied, *_) = study(read_comments(tmp_path)[:1], shipped_encoder(1))
    answer = spans.answer(studied.prose, studied.reading)
    assert studied.overlaps[answer.run] > 0.8


def test_the_shipped_weights_beat_the_whole_comment_on_real_ones(
    shared_data: Path,
) -> None:
    """Seen in training: a guard against files that do not fit together."""
    comments = read_comments(shared_data)[:25]
    found = []
    for one in study(comments, shipped_encoder(1)):
        answer = load_model(SHIPPED).answer(one.prose, one.reading)
        text, marked = one.comment
        found.append(measure(marked, text[slice(*answer.place)]))
    whole = [measure(comment.marked, comment.text) for comment in comments]
    assert np.mean(found) > np.mean(whole) + 0.1
    assert (SHIPPED / FILE).stat().st_size < 500_000


def test_scores_are_as_high_as_the_spans_are_right(tmp_path: Path) -> None:
    comments = read_comments(write(tmp_path))
    studied = study(comments, shipped_encoder(1))
    said = shipped_encoder(1).words.labels
    table = Table.of(studied, *find_directions(SHIPPED, said))
    right = np.array([[0.9] * 80 + [0.2] * 20])
    found = np.repeat((right > 0.5).astype(float)[..., np.newaxis], 3, axis=2)
    scale = fit_score(causes.Foretold(right, found))
    assert scale.probability(np.log(9)) > scale.probability(np.log(0.25))
    assert len(table.starts) == len(ROWS) + 1
    assert "whole comment" in report(comments, causes.Foretold(right, found))
    assert cross_validate.__doc__
