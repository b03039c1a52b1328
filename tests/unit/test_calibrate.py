from pathlib import Path

import numpy as np
import pytest
from shipped_copy import link_shipped

from pipeline.tagging.corpora import Corpus
from pipeline.tagging.encoder import SHIPPED
from pipeline.tagging.fit_lexicon import rates
from pipeline.tagging.heads import load_scales
from pipeline.training import calibrate
from pipeline.training.calibrate import (
    CAUTION,
    NEVER,
    Judged,
    best_threshold,
    cross_validate,
    fit,
    fit_labels,
    held_out,
)

RANDOM = np.random.default_rng(5)
SCALES = "emotions.toml"
EMOTIONS = ("Anger", "Love", "Fear", "Joy", "Sadness", "Surprise")


def judged(count: int, *, pooled: bool, macro: bool = True) -> Judged:
    logits = RANDOM.normal(0.0, 2.0, (count, 2))
    truth = RANDOM.random((count, 2)) < 1 / (1 + np.exp(-logits - [0.0, -2.0]))
    return Judged("any", "t", ["a", "b"], ["head"], logits, truth, pooled, macro)


def test_few_texts_hardly_move_a_threshold() -> None:
    logits, truth = RANDOM.normal(0.0, 2.0, 40), np.arange(40) < 8
    assert fit(logits, truth).threshold == pytest.approx(0.5, abs=0.05)
    assert CAUTION > 0


def test_where_all_labels_count_together_they_share_a_threshold_too() -> None:
    everything = np.ones(5_000, dtype=bool)
    one, other = fit_labels(judged(5_000, pooled=True, macro=False), everything)
    assert one == other
    one, other = fit_labels(judged(5_000, pooled=True), everything)
    assert (one.slope, one.bias) == (other.slope, other.bias)
    assert one.threshold != other.threshold


def test_the_best_threshold_is_half_of_the_best_f1() -> None:
    likely = RANDOM.beta(0.3, 3.0, 50_000)
    threshold = best_threshold(likely)
    truth = RANDOM.random(len(likely)) < likely
    f1 = [rates(likely >= t, truth)[0] for t in np.linspace(0.05, 0.95, 91)]
    assert threshold == pytest.approx(max(f1) / 2, abs=0.02)
    assert rates(likely >= threshold, truth)[0] == pytest.approx(max(f1), abs=0.01)


def test_a_head_that_has_learned_nothing_flags_nothing() -> None:
    likely = RANDOM.normal(0.1, 0.001, 1_000)
    assert best_threshold(likely) == NEVER
    assert best_threshold(likely + 0.6) < NEVER


def test_pooled_labels_share_a_scale_and_others_have_their_own() -> None:
    everything = np.ones(5_000, dtype=bool)
    one, other = fit_labels(judged(5_000, pooled=True), everything)
    assert one.bias == other.bias
    one, other = fit_labels(judged(5_000, pooled=False), everything)
    assert one.bias == pytest.approx(0.0, abs=0.3)
    assert other.bias == pytest.approx(-2.0, abs=0.4)


def test_cross_validated_probabilities_are_true() -> None:
    figures = cross_validate(judged(5_000, pooled=False))
    assert figures.calibration_error < 0.03
    assert 0.5 < figures.macro_f1 < figures.micro_f1 < 0.9


def test_a_fifth_of_each_corpus_is_held_out_the_same_each_time() -> None:
    corpora = [Corpus("t", frozenset(), [""] * n, []) for n in (10, 100)]
    first, second = held_out(corpora)
    assert (len(first), len(set(second))) == (2, 20)
    assert [first, second] == held_out(corpora)


def small_data(folder: Path) -> Path:
    """As the authors publish them, but of a few texts."""
    data = folder / "emotion"
    data.mkdir()
    for name, text in (
        ("se_github", "modified_comment"),
        ("stackoverflow", "Text"),
    ):
        header = ",".join((text, *EMOTIONS))
        rows = ["I hate this,1,0,0,0,0,0", "thank you so much,0,1,0,0,0,0"] * 30
        (data / f"{name}_train.csv").write_text("\n".join([header, *rows]) + "\n")
    header = "id,text,anger,fear,joy,sadness,surprise"
    rows = ["1,so scared,0,2,0,0,0", "2,what a day,0,0,1,0,0"] * 5
    (data / "brighter_eng_dev.csv").write_text("\n".join([header, *rows]) + "\n")
    (data / "goemotions_labels.txt").write_text("disgust\njoy\nneutral\n")
    lines = ["gross\t0\ta", "so happy\t1\tb", "it is there\t2\tc"] * 5
    (data / "goemotions_dev.tsv").write_text("\n".join(lines) + "\n")
    return folder


def test_calibrating_writes_scales_that_can_be_read_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = link_shipped(tmp_path / "model", {SCALES})
    data = small_data(tmp_path)
    command = ["calibrate", str(data), str(model), str(SHIPPED)]
    monkeypatch.setattr("sys.argv", command)
    assert calibrate.main() == 0
    assert "fine-emotion, any, 3 labels" in capsys.readouterr().out
    fitted, shipped = load_scales(model / SCALES), load_scales(SHIPPED / SCALES)
    for platform in ("github", "stackexchange", "twitter", "irc"):
        ours = fitted.on(platform)
        assert set(ours) <= set(shipped.on(platform))
        for key, head in ours.items():
            assert head.outputs == shipped.on(platform)[key].outputs
