import shutil
from importlib.resources import files
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy.sparse import csr_array

from pipeline.tagging import corpora, fit_lexicon
from pipeline.tagging.calibration import Calibration, load_calibration
from pipeline.tagging.corpora import Corpus
from pipeline.tagging.fit_lexicon import (
    CAUTION,
    Floats,
    calibration_error,
    fit_scale,
    fit_weights,
)
from pipeline.tagging.wordlists import load_entries, parse_entries

RANDOM = np.random.default_rng(7)


def texts_with(weights: Floats, bias: float, count: int) -> tuple[csr_array, Floats]:
    found = (RANDOM.random((count, len(weights))) < 0.3).astype(float)
    likelihood = 1 / (1 + np.exp(-(found @ weights + bias)))
    return csr_array(found), RANDOM.random(count) < likelihood


def test_weights_come_from_many_texts() -> None:
    truth = np.array([3.0, 1.0, 0.5])
    found, given = texts_with(truth, -2.0, 20_000)
    fitted = fit_weights([found], [given], np.zeros(3))
    assert fitted == pytest.approx(truth, abs=0.25)


def test_each_corpus_has_a_base_rate_of_its_own() -> None:
    truth = np.array([2.0])
    rare, often = texts_with(truth, -4.0, 20_000), texts_with(truth, 0.0, 20_000)
    both = zip(rare, often, strict=True)
    fitted = fit_weights(*both, np.zeros(1))
    assert fitted == pytest.approx(truth, abs=0.25)


def test_without_texts_weights_are_what_their_author_thought() -> None:
    found = csr_array(np.zeros((10, 2)))
    prior = np.array([2.5, 0.5])
    assert fit_weights([found], [np.zeros(10, bool)], prior) == pytest.approx(prior)


def test_no_weight_speaks_against_its_label() -> None:
    found, given = texts_with(np.array([-3.0]), 0.0, 2_000)
    assert fit_weights([found], [given], np.ones(1)) == pytest.approx([0.0])
    assert CAUTION > 0


def test_a_scale_makes_sums_of_weights_probabilities() -> None:
    totals = RANDOM.normal(2.0, 2.0, 20_000)
    totals[::2] = np.nan
    truth = RANDOM.random(20_000) < 1 / (1 + np.exp(-(0.8 * totals - 1.5)))
    scale = fit_scale(totals, truth)
    assert scale.slope == pytest.approx(0.8, abs=0.1)
    assert scale.bias == pytest.approx(-1.5, abs=0.2)
    assert 0.2 <= scale.threshold <= 0.6


def test_calibration_error_is_the_gap_between_said_and_true() -> None:
    scores = np.array([0.95] * 100 + [0.25] * 100)
    truth = np.array([True] * 75 + [False] * 25 + [True] * 25 + [False] * 75)
    assert calibration_error(scores, truth) == pytest.approx(0.1)
    assert calibration_error(np.zeros(0), np.zeros(0, bool)) == 0.0


def test_basic_emotions_follow_the_tree_of_the_fine_ones() -> None:
    fine = Corpus(
        "fine-emotion",
        frozenset({"gratitude", "disgust", "neutral"}),
        ["a", "b"],
        [frozenset({"gratitude", "disgust"}), frozenset({"neutral"})],
    )
    found = corpora.basic(fine)
    assert found.labels == [{"love", "disgust"}, set()]
    assert found.known == {"love", "disgust"}


def small_data(folder: Path) -> Path:
    """A little of every data set, in its authors' format."""
    data = folder / "emotion"
    data.mkdir(parents=True)
    fine = sorted(
        {entry.label for entry in load_entries("fine-emotion")} - {"frustration"}
    )
    names = [*fine, "neutral"]
    (data / "goemotions_labels.txt").write_text("\n".join(names))
    lines = [
        f"thanks, I love this\t{names.index('gratitude')},{names.index('love')}\ta",
        f"I hate this, so angry\t{names.index('anger')}\tb",
        f"the file is here\t{names.index('neutral')}\tc",
    ]
    for part in ("train", "dev"):
        (data / f"goemotions_{part}.tsv").write_text("\n".join(lines * 20) + "\n")
    (data / "xed_en.tsv").write_text(
        "I do n't hate you , sorry .\t6, 8\nwow !\t7\n" * 9
    )
    (data / "brighter_eng_train.csv").write_text(
        "id,text,anger,fear,joy,sadness,surprise\n" + "x,I am so happy,0,0,3,0,0\n" * 9
    )
    six = "Anger,Love,Fear,Joy,Sadness,Surprise"
    (data / "se_github_train.csv").write_text(
        f"id,modified_comment,{six}\n"
        + "1,thanks a lot,0,1,0,0,0,0\n2,no,0,0,0,0,0,0\n" * 9
    )
    (data / "stackoverflow_train.csv").write_text(
        f"Text,{six}\n" + "I hate it,1,0,0,0,0,0\nhow to,0,0,0,0,0,0\n" * 9
    )
    return folder


def test_fitting_writes_lists_that_can_be_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = Path(str(files("pipeline.tagging").joinpath("lexicons")))
    lists = shutil.copytree(shipped, tmp_path / "lists")
    fit_lexicon.main([str(small_data(tmp_path / "data")), str(lists)])
    for task in ("basic-emotion", "fine-emotion"):
        fitted = parse_entries((lists / f"{task}.tsv").read_text(encoding="utf-8"))
        assert [e.phrase for e in fitted] == [e.phrase for e in load_entries(task)]
        assert fitted != load_entries(task)
    raw = (lists / "calibration.toml").read_bytes()
    calibration = msgspec.toml.decode(raw, type=Calibration)
    assert calibration.scales["marker"] == load_calibration().scales["marker"]
    assert calibration.cause == load_calibration().cause
    frustration = calibration.scales["fine-emotion"]["frustration"]
    assert frustration == load_calibration().scales["fine-emotion"]["frustration"]
    assert "gratitude" in capsys.readouterr().out


def test_xed_tokens_are_rejoined_and_other_emotions_dropped(tmp_path: Path) -> None:
    found = corpora.xed(small_data(tmp_path))
    assert found.texts[0] == "I don't hate you, sorry."
    assert found.labels[:2] == [{"sadness"}, {"surprise"}]
