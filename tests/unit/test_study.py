"""The study's protocol: peaks of the gradient, hits within three days."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.forecast.series import Array
from pipeline.forecast.study import autoregression, gradient, peaks, read, study


def markers(seed: int = 0, days: int = 120) -> Array:
    return 5.0 + np.random.default_rng(seed).normal(size=(3, days))


def counts(path: Path, shares: Array) -> Path:
    start = np.datetime64("2020-01-01")
    lines = ["country,date,anxiety,anger,sadness,positive,total"]
    for day, row in enumerate(shares.T):
        anxiety, anger, sadness = row * 100
        lines.append(f"X,{start + day},{anxiety},{anger},{sadness},,10000")
    path.write_text("\n".join(lines))
    return path


def test_the_gradient_is_the_mean_change_of_the_seven_day_means() -> None:
    days = markers()
    means = [days[:, day - 6 : day + 1].mean() for day in range(6, 120)]
    np.testing.assert_allclose(gradient(days)[7:], np.diff(means))


def test_a_peak_is_as_prominent_as_the_eightieth_percentile() -> None:
    change = np.array([0.0, 1, 0, 0.1, 0, 2, 0, 0.2, 0, 0])
    assert peaks(change).tolist() == [1, 5]


def test_whoever_warns_every_day_hits_all_there_is() -> None:
    scores = study({"X": markers()}, days=60)
    always = scores[7, "every day"]
    assert always.hit_rate == 1.0
    assert always.forecast == 8 * 7
    assert always.precision == always.true / (8 * 7)


def test_every_method_is_asked_for_the_same_peaks() -> None:
    scores = study({"X": markers()}, days=30)
    assert {training for training, _ in scores} == {7, 14, 21}
    assert len({score.due for score in scores.values()}) == 1
    assert len(scores) == 3 * 8


def test_nothing_is_said_of_peaks_from_days_to_come() -> None:
    days = markers()
    later = days.copy()
    later[:, 113:] += 100.0
    before, after = study({"X": days}, 8), study({"X": later}, 8)
    said = [(key, score.forecast) for key, score in before.items()]
    assert said == [(key, score.forecast) for key, score in after.items()]


def test_a_regression_on_the_day_before_continues_what_it_saw() -> None:
    seen = np.array([[1.0, 2.0] * 7, [3.0, 1.0] * 7])
    ahead = autoregression(seen)
    assert ahead[0] == pytest.approx([1, 2, 1, 2, 1, 2, 1], abs=0.05)


def test_a_table_that_is_none_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "S.csv"
    path.write_text("date,value\n2020-01-01,3\n")
    with pytest.raises(InputError, match="is no table of country, date, anxiety"):
        read(path)


def run(path: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pipeline.forecast.study", str(path), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_country_without_a_unit_is_left_out_by_name(tmp_path: Path) -> None:
    shares = markers()
    shares[1, :60] = 0.0
    path = counts(tmp_path / "S.csv", shares)
    done = run(path)
    assert done.stderr.startswith("X is left out: no anger in its first 60 days")
    assert done.returncode == 1
    with path.open("a") as file:
        more = counts(tmp_path / "T.csv", markers()).read_text().replace("X,", "Y,")
        file.write("\n" + more.partition("\n")[2])
    done = run(path, "--days", "60")
    assert done.stderr.count("\n") == 1
    assert "nan" not in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("days", "asked", "fault"),
    [(0, "60", "has no country of more than 67 days"), (120, "0", "choose at least 1")],
)
def test_what_leaves_nothing_to_score_is_refused(
    tmp_path: Path, days: int, asked: str, fault: str
) -> None:
    done = run(counts(tmp_path / "S.csv", markers(days=days)), "--days", asked)
    assert done.returncode == 1
    assert fault in done.stderr
    assert not done.stdout


def test_one_command_prints_hit_rates_beside_precision(tmp_path: Path) -> None:
    path = counts(tmp_path / "S.csv", markers())
    command = [sys.executable, "-m", "pipeline.forecast.study", str(path)]
    done = subprocess.run([*command, "--days", "60"], capture_output=True, check=True)
    lines = done.stdout.decode().splitlines()
    assert lines[0].split() == ["seen", "method", "peaks", "hit", "rate", "precision"]
    assert len(lines) == 1 + 3 * 8


def test_extra_models_take_part_when_asked_for() -> None:
    pytest.importorskip("torch")
    scores = study({"X": markers(days=75)}, days=8, also=["gru"])
    assert len(scores) == 3 * 9
    assert scores[14, "gru"].due == scores[14, "last day"].due


def test_an_extra_model_that_is_not_installed_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "prophet", None)
    with pytest.raises(InputError, match=r"groundswell\[prophet\]"):
        study({"X": markers(days=75)}, days=8, also=["prophet"])
