"""`groundswell backtest`: a CSV in, JSON lines and a summary out."""

import json
import re
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec
import numpy as np
import pytest

from pipeline.errors import InputError
from pipeline.forecast.bootstrap import Figure
from pipeline.jobs import backtest as job
from pipeline.jobs.backtest import BacktestSummary, render
from pipeline.jobs.backtest_input import read_series

NAIVE = ("last day", "last week", "7-day mean", "mean", "median", "drift")
START = date(2024, 1, 1)
DAYS = 160


def write(path: Path, values: list[float]) -> Path:
    lines = (f"{START + timedelta(days=d)},{v!r}" for d, v in enumerate(values))
    path.write_text("\n".join(["date,value", *lines]))
    return path


def backtest(
    csv: Path,
    *,
    horizon: int,
    days: int,
    output: Path | None = None,
    plot: Path | None = None,
    **more: Any,
) -> BacktestSummary:
    outputs = (output, plot)
    series = read_series(csv, horizon=horizon, days=days, outputs=outputs)
    return job.backtest(
        series, horizon=horizon, days=days, output=output, plot=plot, **more
    )


@pytest.fixture(scope="module")
def values() -> list[float]:
    random = np.random.default_rng(0)
    walk = 30 + np.cumsum(0.3 * random.normal(size=DAYS)) + random.normal(size=DAYS)
    return [float(value) for value in walk]


def test_lines_are_what_the_scorer_reads(tmp_path: Path, values: list[float]) -> None:
    output = tmp_path / "F.jsonl"
    csv = write(tmp_path / "S.csv", values)
    summary = backtest(csv, horizon=7, days=30, output=output, show_progress=False)
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    forecasts = [line for line in lines if "mean" in line]
    alarms = [line for line in lines if "alarm" in line]
    origins = [START + timedelta(days=DAYS - 8 - back) for back in reversed(range(30))]
    assert list(forecasts[0]) == ["origin", "target", "mean", "lower", "upper"]
    assert list(alarms[0]) == ["origin", "probability", "alarm"]
    assert [line["origin"] for line in alarms] == [str(day) for day in origins]
    assert len(forecasts) == 30 * 7
    assert forecasts[-1]["target"] == str(START + timedelta(days=DAYS - 1))
    assert (summary.first_origin, summary.last_origin) == (origins[0], origins[-1])
    assert summary.origins == 30
    assert summary.records[0].coverage == pytest.approx(covered(forecasts, values))


def covered(forecasts: list[dict[str, Any]], values: list[float]) -> float:
    def truth(line: dict[str, Any]) -> float:
        return values[(date.fromisoformat(line["target"]) - START).days]

    return fmean(line["lower"] <= truth(line) <= line["upper"] for line in forecasts)


def test_an_output_that_went_away_meanwhile_is_told_in_one_sentence(
    tmp_path: Path, values: list[float]
) -> None:
    csv = write(tmp_path / "S.csv", values[:30])
    series = read_series(csv, horizon=7, days=5, outputs=())
    with pytest.raises(InputError, match=r"cannot be written \(No such file"):
        job.backtest(
            series,
            horizon=7,
            days=5,
            output=tmp_path / "gone" / "F.jsonl",
            show_progress=False,
        )


def test_a_short_series_gives_as_many_origins_as_it_can(tmp_path: Path) -> None:
    csv = write(tmp_path / "S.csv", [1.0, 2.0, 3.0] * 8)
    summary = backtest(csv, horizon=7, days=240, show_progress=False)
    assert summary.origins == 24 - 7 - 13
    assert not summary.skill
    assert not summary.alarm_skill


def test_one_origin_is_the_least(tmp_path: Path) -> None:
    csv = write(tmp_path / "S.csv", [1.0, 2.0] * 10 + [3.0])
    summary = backtest(csv, horizon=7, days=1, show_progress=False)
    assert summary.origins == 1


def test_a_picture_is_drawn_with_the_record_below_it(
    tmp_path: Path, values: list[float]
) -> None:
    csv, plot = write(tmp_path / "S.csv", values), tmp_path / "S.svg"
    summary = backtest(csv, horizon=7, days=14, plot=plot, show_progress=False)
    drawn = plot.read_text(encoding="utf-8")
    assert drawn.startswith("<svg ")
    assert "7 days ahead, from 14 origins. Forecast: MASE " in drawn
    assert f"share in the 80 % interval {summary.records[0].coverage:.2f}" in drawn
    rivals = [
        (row.mase, row.model)
        for row in summary.records
        if row.model in NAIVE and row.mase is not None
    ]
    error, name = min(rivals)
    assert f"(best naive method, {name}: {error:.2f})" in drawn


def test_the_caption_fits_below_the_picture(
    summarise: Callable[[list[float]], BacktestSummary],
) -> None:
    """At 13 points a letter of Helvetica is 6 to 7 of the picture's 876 units wide."""
    summary = msgspec.structs.replace(
        summarise(noise(90)), horizon=28, origins=240, skill=False, model="7-day mean"
    )
    lines = job._caption(summary)
    assert any(line.startswith("No skill: ") for line in lines)
    assert max(map(len, lines)) < 876 / 6.5


def noise(days: int = 60) -> list[float]:
    return [float(value) for value in np.random.default_rng(2).normal(50, 5, days)]


def gappy() -> list[float]:
    return [float("nan") if day % 5 == 2 else v for day, v in enumerate(noise())]


@pytest.mark.parametrize(
    "odd",
    [[0.0] * 60, [7.0] * 60, [150 + value for value in noise()], gappy()],
    ids=["zeros", "equal", "percent above 100", "NaN"],
)
def test_an_odd_series_gets_a_sound_answer(tmp_path: Path, odd: list[float]) -> None:
    csv = write(tmp_path / "S.csv", odd)
    output, plot = tmp_path / "F.jsonl", tmp_path / "S.svg"
    summary = backtest(
        csv, horizon=7, days=14, output=output, plot=plot, show_progress=False
    )
    assert summary.origins == 14
    assert not summary.alarm_skill
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    for line in lines:
        if "mean" in line:
            assert line["lower"] <= line["mean"] <= line["upper"]
            assert np.nanmin(odd) - 50 <= line["mean"] <= np.nanmax(odd) + 50
        else:
            assert not line["alarm"]
    assert "nan" not in plot.read_text().lower()


def test_order_and_lines_left_out_do_not_matter(tmp_path: Path) -> None:
    days = gappy()
    written = write(tmp_path / "a.csv", days).read_text().splitlines()
    known = [line for line in written[1:] if not line.endswith("nan")]
    other = tmp_path / "b.csv"
    other.write_text("\n".join(["date,value", *reversed(known)]))
    answers = [
        backtest(path, horizon=7, days=14, show_progress=False)
        for path in (tmp_path / "a.csv", other)
    ]
    assert answers[0].records == [
        msgspec.structs.replace(row, scope="a.csv") for row in answers[1].records
    ]


def test_a_bar_is_drawn_on_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    csv = write(tmp_path / "S.csv", [1.0, 2.0, 3.0] * 10)
    backtest(csv, horizon=7, days=5, show_progress=True)
    assert "S.csv: 100%" in capsys.readouterr().err


@pytest.fixture
def summarise(
    tmp_path: Path,
) -> Callable[[list[float]], BacktestSummary]:
    def summary(values: list[float]) -> BacktestSummary:
        csv = write(tmp_path / "S.csv", values)
        return backtest(csv, horizon=7, days=60, show_progress=False)

    return summary


def test_the_summary_shows_every_method_beside_the_published_forecast(
    summarise: Callable[[list[float]], BacktestSummary], values: list[float]
) -> None:
    text = render(summarise(values))
    assert text.startswith("S.csv: 7 days ahead, from 60 origins, 2024-")
    for name in ("published", "last day", "last week", "7-day mean", "ETS"):
        assert f"\n{name} " in text
    assert "does not beat the base rate" in text


def test_every_figure_has_an_interval_around_it(
    summarise: Callable[[list[float]], BacktestSummary], values: list[float]
) -> None:
    summary = summarise(values)
    by_name = {row.model: row.mase for row in summary.records}
    assert [row.model for row in summary.figures] == list(by_name)
    for told in summary.figures:
        assert told.mase.value == pytest.approx(by_name[told.model])
        assert told.mase.low is not None
        assert told.mase.high is not None
        assert told.mase.low < told.mase.value < told.mase.high
    assert "7-day mean *" in render(summary)


def test_the_summary_can_be_read_by_scripts(
    summarise: Callable[[list[float]], BacktestSummary], values: list[float]
) -> None:
    summary = summarise(values)
    assert summary.records[0].alarm_recall is not None
    told = msgspec.json.encode(summary)
    assert msgspec.json.decode(told, type=BacktestSummary) == summary


def test_an_unknown_model_is_refused_before_anything_is_done(
    tmp_path: Path, values: list[float]
) -> None:
    csv = write(tmp_path / "S.csv", values)
    with pytest.raises(InputError, match="no extra model is called lstm"):
        backtest(csv, horizon=7, days=9, also=["lstm"], show_progress=False)


def test_the_summary_says_no_skill(
    summarise: Callable[[list[float]], BacktestSummary],
) -> None:
    noise = np.random.default_rng(3).normal(size=90)
    text = render(summarise([float(value) for value in noise]))
    assert "No skill: no model beats" in text


def test_the_summary_says_skill_and_leaves_open_what_nothing_is_known_of(
    summarise: Callable[[list[float]], BacktestSummary],
) -> None:
    noise = np.random.default_rng(1).normal(size=200)
    week = np.resize([0.0, 1, 2, 3, 2, 1, 0], 200)
    text = render(summarise([float(value) for value in 20 + week + noise]))
    assert (
        "Skill: combination beats the best naive method (over up to three years)."
        in text
    )
    constant = render(summarise([1.0] * 60))
    assert " - " in constant


def test_the_alarms_proof_is_told_to_be_of_the_whole_past(
    summarise: Callable[[list[float]], BacktestSummary],
) -> None:
    summary = summarise(noise(120))
    told = "the base rate (over the whole past, 93 origins, not these 60 alone)."
    assert told in render(summary)
    assert told in job._caption(summary)[-1]


def test_too_short_a_past_is_not_judged_instead_of_found_wanting(
    summarise: Callable[[list[float]], BacktestSummary],
) -> None:
    text = render(summarise(noise(30)))
    assert "Not judged: 9 days of known errors, and skill asks for 28; " in text
    assert "The alarm is not judged: 3 origins of known outcome, and a proof" in text
    assert "does not beat" not in text


def test_a_week_without_sundays_is_judged(
    summarise: Callable[[list[float]], BacktestSummary],
) -> None:
    days = noise(140)
    days[6::7] = [float("nan")] * 20
    summary = summarise(days)
    first, last = 14 + 2 - 1, 140 - 1 - 7
    assert summary.judged_alarms == last - 7 + 1 - first
    assert summary.records[0].brier_skill is not None


def test_columns_never_run_together(
    summarise: Callable[[list[float]], BacktestSummary],
) -> None:
    wide = Figure(value=-33825.604, low=-36832.917, high=-30416.125)
    summary = summarise(noise(90))
    figures = [
        msgspec.structs.replace(row, width=wide, coverage=wide)
        for row in summary.figures
    ]
    told = render(msgspec.structs.replace(summary, figures=figures))
    rows = [line for line in told.splitlines() if line.startswith("pooled ridge ")]
    assert [len(re.split(r"  +", row)) for row in rows] == [5, 4, 4]
    heads = [line for line in render(summary).splitlines() if "pinball" in line]
    assert re.split(r"  +", heads[0])[1:] == ["MASE", "pinball", "in 80 %", "width"]


def test_the_skill_of_what_could_not_go_wrong_is_no_number(
    summarise: Callable[[list[float]], BacktestSummary],
) -> None:
    week = np.sin(np.arange(400) * 2 * np.pi / 7)
    summary = summarise([round(5 + float(value), 6) for value in week])
    assert [row.brier_skill for row in summary.records] == [None] * len(summary.records)
    assert all(row.brier_skill.value is None for row in summary.figures)


def test_a_century_of_gaps_is_not_answered_with_dashes_alone(tmp_path: Path) -> None:
    csv = write(tmp_path / "S.csv", noise())
    with csv.open("a") as file:
        file.write("\n2025-03-01,5\n")
    summary = backtest(csv, horizon=7, days=9, show_progress=False)
    told = "1 of the 15 days forecast have a known value, so hardly anything can be"
    assert told in render(summary)
    enough = msgspec.structs.replace(summary, known_days=8)
    assert "known value" not in render(enough)


def test_the_figures_are_those_of_the_scorer(shared_data: Path, tmp_path: Path) -> None:
    sys.path.insert(0, str(shared_data.parent / "score"))
    try:
        import gold  # noqa: PLC0415
        import score  # noqa: PLC0415
    finally:
        sys.path.pop(0)
    csv, output = tmp_path / "S.csv", tmp_path / "F.jsonl"
    rows = gold.rows("series/twitter_daily_country_emotion.csv")
    shares = (
        f"{row['date']},{100 * float(row['sadness']) / float(row['total']):.6f}"
        for row in rows
        if row["country"] == "California"
    )
    csv.write_text("\n".join(["date,value", *shares]))
    summary = backtest(csv, horizon=7, days=60, output=output, show_progress=False)
    figures = score.score_series(csv, score.read_jsonl(output))
    record = {row.model: row for row in summary.records}
    assert record["published"].mase == pytest.approx(figures["mase[model]"])
    assert record["published"].coverage == pytest.approx(figures["coverage_80"])
    for name in ("last day", "last week", "7-day mean"):
        assert record[name].mase == pytest.approx(figures[f"mase[{name}]"])
    recall = figures["alarm_recall[model]"]
    assert record["published"].alarm_recall == pytest.approx(recall)
