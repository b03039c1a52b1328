"""The track record of the forecasts on any daily series in a CSV file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import msgspec
import numpy as np
import structlog
from tqdm import tqdm

from pipeline.errors import InputError
from pipeline.forecast.alarms import PROOF_WEEKS
from pipeline.forecast.backtest import SHARE
from pipeline.forecast.bootstrap import Figure, Figures, figures
from pipeline.forecast.chart import chart
from pipeline.forecast.run import Alarm, Backtest, Forecast, Judgement, judge_series
from pipeline.forecast.series import Series, counted
from pipeline.forecast.skill import needed

log = structlog.get_logger()


class BacktestSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The record in brief.

    `records` holds what would have been published first, then every model, and
    `figures` more of each, with 90 % intervals; `known_days` are those forecast whose
    value is known; `model` is the one published at the
    last origin, and `skill` whether it beats the naive ones. `judged_days` and
    `judged_alarms` are the days and origins that the two verdicts are drawn from.
    """

    series: str
    first_origin: date
    last_origin: date
    origins: int
    horizon: int
    known_days: int
    model: str
    skill: bool
    alarm_skill: bool
    judged_days: int
    judged_alarms: int
    records: list[Backtest]
    figures: list[Figures]


class _ForecastLine(msgspec.Struct, frozen=True):
    origin: date
    target: date
    mean: float
    lower: float
    upper: float


class _AlarmLine(msgspec.Struct, frozen=True):
    origin: date
    probability: float
    alarm: bool


def backtest(  # noqa: PLR0913 - what the command can be asked for
    series: Series,
    *,
    horizon: int,
    days: int,
    output: Path | None,
    plot: Path | None = None,
    also: Sequence[str] = (),
    show_progress: bool,
) -> BacktestSummary:
    """Forecast from each of the last days whose future the series holds.

    Args:
        series: from `backtest_input.read_series`, which refuses what cannot be done.
        horizon: days ahead.
        days: origins; fewer where the series is too short for as many.
        output: JSON lines of forecasts and alarms, if wanted.
        plot: a picture of them as SVG, if wanted.
        also: extra models asked for by name.
        show_progress: draw a bar on the terminal.

    Raises:
        InputError: the output cannot be written, or an extra model is not installed.
    """
    with _bar(series.title, show_progress) as progress:
        # The last `horizon` days are asked for too, and left out: not all of what
        # was said there has come true yet.
        judgement = judge_series(
            series,
            horizon=horizon,
            backtest_days=days + horizon - 1,
            progress=progress,
            also=also,
        )
    found = judgement.found
    last = series.day(series.values.size - 1 - horizon)
    forecasts = [row for row in found.forecasts if row.origin <= last]
    alarms = [row for row in found.alarms if row.kind == "level" and row.origin <= last]
    summary = _summary(series, horizon, judgement, forecasts)
    if output is not None:
        _write(output, _lines(forecasts, alarms))
    if plot is not None:
        _write(plot, chart(series, found, _caption(summary)).encode())
    if not show_progress:
        log.info("backtest-finished", series=series.title, forecasts=len(forecasts))
    return summary


_TABLES = (
    {"MASE": "mase", "pinball": "pinball", "in 80 %": "coverage", "width": "width"},
    {"precision": "alarm_precision", "recall": "alarm_recall", "F1": "alarm_f1"},
    {"Brier skill": "brier_skill", "AUC": "auc", "days ahead": "lead_days"},
)
_LEAST_WIDTH = 14


def render(summary: BacktestSummary) -> str:
    """The summary as a person reads it."""
    tables = "\n\n".join(_table(summary.figures, columns) for columns in _TABLES)
    return f"""\
{summary.series}: {_ahead(summary)}, {summary.first_origin} to {summary.last_origin}
Beside each figure its 90 % interval; naive methods bear a star. What a model expects
is a median, as often above as below what comes: the mean of skewed days lies higher.

{tables}

{_hardly_known(summary)}{_verdict(summary)}
{_alarm_verdict(summary)}"""


def _ahead(summary: BacktestSummary) -> str:
    ahead, origins = counted(summary.horizon, "day"), counted(summary.origins, "origin")
    return f"{ahead} ahead, from {origins}"


def _table(told: Sequence[Figures], columns: Mapping[str, str]) -> str:
    def row(figures: Figures) -> list[str]:
        name = f"{figures.model}{' *' if figures.naive else ''}"
        return [name, *(_cell(getattr(figures, at)) for at in columns.values())]

    rows = [["", *columns], *(row(each) for each in told)]
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    widths = [max(width, _LEAST_WIDTH) for width in others]
    return "\n".join(
        "  ".join([f"{name:{first}}", *map(str.rjust, cells, widths)])
        for name, *cells in rows
    )


def _cell(figure: Figure) -> str:
    if figure.value is None:
        return "-"
    return f"{figure.value:.2f} {figure.low:.2f}:{figure.high:.2f}"


def _hardly_known(summary: BacktestSummary) -> str:
    """Why the tables hold hardly a figure, where they do not."""
    days = summary.origins + summary.horizon - 1
    if summary.known_days * 2 >= days:
        return ""
    return (
        f"{summary.known_days} of the {days} days forecast have a known value, so "
        "hardly anything can be scored: look for gaps, or a mistyped date.\n"
    )


def _verdict(summary: BacktestSummary) -> str:
    if summary.skill:
        return (
            f"Skill: {summary.model} beats the best naive method "
            "(over up to three years)."
        )
    least = needed(summary.horizon)
    if summary.judged_days < least:
        return (
            f"Not judged: {counted(summary.judged_days, 'day')} of known errors, and "
            f"skill asks for {least}; {summary.model} is shown."
        )
    return (
        "No skill: no model beats the naive methods (over up to three years); "
        f"{summary.model} is shown."
    )


def _alarm_verdict(summary: BacktestSummary) -> str:
    least = needed(summary.horizon, PROOF_WEEKS * summary.horizon)
    if summary.judged_alarms < least:
        return (
            f"The alarm is not judged: {counted(summary.judged_alarms, 'origin')} of "
            f"known outcome, and a proof asks for {least}."
        )
    alarm = "beats" if summary.alarm_skill else "does not beat"
    return (
        f"The alarm's probability {alarm} the base rate (over the whole past, "
        f"{counted(summary.judged_alarms, 'origin')}, not these "
        f"{summary.origins} alone)."
    )


def _caption(summary: BacktestSummary) -> list[str]:
    """The track record in lines that fit below the picture."""
    record = summary.records[0]

    def told(name: str, value: float | None) -> str:
        return f"{name} {'-' if value is None else format(value, '.2f')}"

    alarm = ", ".join(
        [
            told("precision", record.alarm_precision),
            told("recall", record.alarm_recall),
            told("Brier skill", record.brier_skill),
        ]
    )
    coverage = told("share in the 80 % interval", record.coverage)
    error = f"{told('MASE', record.mase)}{_best_naive(summary)}"
    return [
        f"{_ahead(summary)}. Forecast: {error}, {coverage}.",
        f"{_verdict(summary)}{' The line is a median.' if summary.skill else ''}",
        f"Alarm, from these {counted(summary.origins, 'origin')}: {alarm}.",
        _alarm_verdict(summary),
    ]


def _best_naive(summary: BacktestSummary) -> str:
    found = [
        (each.mase.value, each.model)
        for each in summary.figures
        if each.naive and each.mase.value is not None
    ]
    if not found:
        return ""
    error, model = min(found)
    return f" (best naive method, {model}: {error:.2f})"


def _summary(
    series: Series,
    horizon: int,
    judgement: Judgement,
    forecasts: Sequence[Forecast],
) -> BacktestSummary:
    found = judgement.found
    last, days = forecasts[-1], len(forecasts) // horizon + horizon - 1
    alarm = next(
        (
            row
            for row in found.alarms
            if row.kind == "level" and row.origin == last.origin
        ),
        None,
    )
    return BacktestSummary(
        series=series.title,
        first_origin=forecasts[0].origin,
        last_origin=last.origin,
        origins=len(forecasts) // horizon,
        horizon=horizon,
        known_days=int(np.isfinite(series.values[-days:]).sum()),
        model=last.model,
        skill=last.skill,
        alarm_skill=alarm is not None and alarm.skill,
        judged_days=judgement.judged_days,
        judged_alarms=judgement.judged_alarms,
        records=found.backtests,
        figures=[figures(each, SHARE) for each in judgement.models],
    )


def _lines(forecasts: Sequence[Forecast], alarms: Sequence[Alarm]) -> bytes:
    encode = msgspec.json.Encoder().encode
    lines = [
        *(
            _ForecastLine(row.origin, row.target, row.mean, row.lower, row.upper)
            for row in forecasts
        ),
        *(
            _AlarmLine(row.origin, row.probability, row.alarm and row.skill)
            for row in alarms
        ),
    ]
    return b"".join(encode(line) + b"\n" for line in lines)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}): choose another path"
        ) from error


@contextmanager
def _bar(title: str, shown: bool) -> Iterator[Callable[[float], object]]:  # noqa: FBT001
    shape = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}"
    with tqdm(total=1.0, desc=title, bar_format=shape, disable=not shown) as bar:
        # The shares are rounded, and their sum may lie a hair beyond the whole.
        yield lambda share: bar.update(min(share, 1.0 - bar.n))
