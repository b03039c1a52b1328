"""The track record of the forecasts on any daily series in a CSV file."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import msgspec
import structlog
from tqdm import tqdm

from pipeline.errors import InputError
from pipeline.forecast.run import Alarm, Backtest, Forecast, Forecasts, forecast_series
from pipeline.forecast.series import MIN_KNOWN, Series, read_csv

LONGEST_HORIZON = 28

log = structlog.get_logger()


class BacktestSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The record in brief.

    `records` holds what would have been published first, then every model; `model` is
    the one published at the last origin, and `skill` whether it beats the naive ones.
    """

    series: str
    first_origin: date
    last_origin: date
    origins: int
    horizon: int
    model: str
    skill: bool
    alarm_skill: bool
    records: list[Backtest]


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


def backtest(
    series_csv: Path,
    *,
    horizon: int,
    days: int,
    output: Path | None,
    show_progress: bool,
) -> BacktestSummary:
    """Forecast from each of the last days whose future the series holds.

    Args:
        series_csv: columns date and value.
        horizon: days ahead.
        days: origins; fewer where the series is too short for as many.
        output: JSON lines of forecasts and alarms, if wanted.
        show_progress: draw a bar on the terminal.

    Raises:
        InputError: the series cannot be used, or the output cannot be written.
    """
    _check_arguments(horizon, days)
    if output is not None and output.resolve() == series_csv.resolve():
        raise InputError(f"{output} is the series itself: write to another file")
    series = read_csv(series_csv)
    _check_length(series, horizon)
    with _bar(series.title, show_progress) as progress:
        # The last `horizon` days are asked for too, and left out: not all of what
        # was said there has come true yet.
        found = forecast_series(
            series,
            horizon=horizon,
            backtest_days=days + horizon - 1,
            progress=progress,
        )
    last = series.day(series.values.size - 1 - horizon)
    forecasts = [row for row in found.forecasts if row.origin <= last]
    alarms = [row for row in found.alarms if row.origin <= last]
    if output is not None:
        _write(output, forecasts, alarms)
    if not show_progress:
        log.info("backtest-finished", series=series.title, forecasts=len(forecasts))
    return _summary(series, horizon, found, forecasts)


def render(summary: BacktestSummary) -> str:
    """The summary as a person reads it."""
    verdict = (
        f"Skill: {summary.model} beats the best naive method."
        if summary.skill
        else f"No skill: no model beats the naive methods; {summary.model} is shown."
    )
    alarm = "beats" if summary.alarm_skill else "does not beat"
    lines = "\n".join(_line(record) for record in summary.records)
    return f"""\
{summary.series}: {summary.horizon} days ahead, from {summary.origins} origins, \
{summary.first_origin} to {summary.last_origin}

               MASE  in 80 %  precision  recall  Brier skill
{lines}

{verdict}
The alarm's probability {alarm} the base rate."""


def _line(record: Backtest) -> str:
    def figure(value: float | None, width: int) -> str:
        return f"{'-' if value is None else format(value, '.3f'):>{width}}"

    return (
        f"{record.model:12} {figure(record.mase, 6)} {figure(record.coverage, 8)} "
        f"{figure(record.alarm_precision, 10)} {figure(record.alarm_recall, 7)} "
        f"{figure(record.brier_skill, 12)}"
    )


def _check_arguments(horizon: int, days: int) -> None:
    if not 1 <= horizon <= LONGEST_HORIZON:
        raise InputError(
            f"a horizon of {horizon} days cannot be forecast: "
            f"choose 1 to {LONGEST_HORIZON}"
        )
    if days < 1:
        raise InputError(f"{days} origins leave nothing to test: choose at least 1")


def _check_length(series: Series, horizon: int) -> None:
    series.check_usable()
    # Fewer known days than `MIN_KNOWN` before the last origin leave no origin at all.
    known = int((series.values[:-horizon] == series.values[:-horizon]).sum())
    if known < MIN_KNOWN:
        raise InputError(
            f"{series.title} has {known} known days before the last {horizon}: "
            f"a backtest needs at least {MIN_KNOWN}, so give more days"
        )


def _summary(
    series: Series, horizon: int, found: Forecasts, forecasts: Sequence[Forecast]
) -> BacktestSummary:
    last = forecasts[-1]
    alarm = next((row for row in found.alarms if row.origin == last.origin), None)
    return BacktestSummary(
        series=series.title,
        first_origin=forecasts[0].origin,
        last_origin=last.origin,
        origins=len(forecasts) // horizon,
        horizon=horizon,
        model=last.model,
        skill=last.skill,
        alarm_skill=alarm is not None and alarm.skill,
        records=found.backtests,
    )


def _write(
    output: Path, forecasts: Sequence[Forecast], alarms: Sequence[Alarm]
) -> None:
    encode = msgspec.json.Encoder().encode
    lines = [
        *(
            _ForecastLine(row.origin, row.target, row.mean, row.lower, row.upper)
            for row in forecasts
        ),
        *(_AlarmLine(row.origin, row.probability, row.alarm) for row in alarms),
    ]
    try:
        output.write_bytes(b"".join(encode(line) + b"\n" for line in lines))
    except OSError as error:
        raise InputError(
            f"{output} cannot be written ({error.strerror}): choose another path"
        ) from error


@contextmanager
def _bar(title: str, shown: bool) -> Iterator[Callable[[float], object]]:  # noqa: FBT001
    shape = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}"
    with tqdm(total=1.0, desc=title, bar_format=shape, disable=not shown) as bar:
        # The shares are rounded, and their sum may lie a hair beyond the whole.
        yield lambda share: bar.update(min(share, 1.0 - bar.n))
