"""The track record of the forecasts on any daily series in a CSV file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import msgspec
import structlog
from tqdm import tqdm

from pipeline.errors import InputError
from pipeline.forecast.backtest import SHARE
from pipeline.forecast.bootstrap import Figure, Figures, figures
from pipeline.forecast.chart import chart
from pipeline.forecast.run import Alarm, Backtest, Forecast, Forecasts, judge_series
from pipeline.forecast.series import MIN_KNOWN, Series, read_csv

LONGEST_HORIZON = 28

log = structlog.get_logger()


class BacktestSummary(msgspec.Struct, frozen=True, kw_only=True):
    """The record in brief.

    `records` holds what would have been published first, then every model, and
    `figures` more of each, with 90 % intervals; `model` is the one published at the
    last origin, and `skill` whether it beats the naive ones.
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
    series_csv: Path,
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
        series_csv: columns date and value.
        horizon: days ahead.
        days: origins; fewer where the series is too short for as many.
        output: JSON lines of forecasts and alarms, if wanted.
        plot: a picture of them as SVG, if wanted.
        also: extra models asked for by name.
        show_progress: draw a bar on the terminal.

    Raises:
        InputError: the series cannot be used, the output cannot be written, or an
            extra model is not installed.
    """
    _check_arguments(horizon, days)
    for path in (output, plot):
        if path is not None and path.resolve() == series_csv.resolve():
            raise InputError(f"{path} is the series itself: write to another file")
    series = read_csv(series_csv)
    _check_length(series, horizon)
    with _bar(series.title, show_progress) as progress:
        # The last `horizon` days are asked for too, and left out: not all of what
        # was said there has come true yet.
        found, judged = judge_series(
            series,
            horizon=horizon,
            backtest_days=days + horizon - 1,
            progress=progress,
            also=also,
        )
    last = series.day(series.values.size - 1 - horizon)
    forecasts = [row for row in found.forecasts if row.origin <= last]
    alarms = [row for row in found.alarms if row.kind == "level" and row.origin <= last]
    told = [figures(each, SHARE) for each in judged]
    summary = _summary(series, horizon, found, forecasts, told)
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
_NAME, _CELL = 12, 16


def render(summary: BacktestSummary) -> str:
    """The summary as a person reads it."""
    tables = "\n\n".join(_table(summary.figures, columns) for columns in _TABLES)
    return f"""\
{summary.series}: {summary.horizon} days ahead, from {summary.origins} origins, \
{summary.first_origin} to {summary.last_origin}
Beside each figure its 90 % interval; naive methods bear a star.

{tables}

{_verdict(summary)}
{_alarm_verdict(summary)}"""


def _table(told: Sequence[Figures], columns: Mapping[str, str]) -> str:
    def name(figures: Figures) -> str:
        return f"{figures.model}{' *' if figures.naive else ''}"

    heads = " " * _NAME + "".join(f"{head:>{_CELL}}" for head in columns)
    lines = [
        f"{name(each):{_NAME}}"
        + "".join(f"{_cell(getattr(each, at)):>{_CELL}}" for at in columns.values())
        for each in told
    ]
    return "\n".join([heads, *lines])


def _cell(figure: Figure) -> str:
    if figure.value is None:
        return "-"
    return f"{figure.value:.2f} {figure.low:.2f}:{figure.high:.2f}"


def _verdict(summary: BacktestSummary) -> str:
    if summary.skill:
        return f"Skill: {summary.model} beats the best naive method."
    return f"No skill: no model beats the naive methods; {summary.model} is shown."


def _alarm_verdict(summary: BacktestSummary) -> str:
    alarm = "beats" if summary.alarm_skill else "does not beat"
    return f"The alarm's probability {alarm} the base rate."


def _caption(summary: BacktestSummary) -> list[str]:
    """The track record in two lines."""
    record = summary.records[0]

    def told(name: str, value: float | None) -> str:
        return f"{name} {'-' if value is None else format(value, '.2f')}"

    forecast = ", ".join(
        [told("MASE", record.mase), told("share in the 80 % interval", record.coverage)]
    )
    alarm = ", ".join(
        [
            told("precision", record.alarm_precision),
            told("recall", record.alarm_recall),
            told("Brier skill", record.brier_skill),
        ]
    )
    ahead = f"{summary.origins} origins, {summary.horizon} days ahead."
    return [
        f"{ahead} Forecast: {forecast}. {_verdict(summary)}",
        f"Alarm: {alarm}. {_alarm_verdict(summary)}",
    ]


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
    series: Series,
    horizon: int,
    found: Forecasts,
    forecasts: Sequence[Forecast],
    told: list[Figures],
) -> BacktestSummary:
    last = forecasts[-1]
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
        model=last.model,
        skill=last.skill,
        alarm_skill=alarm is not None and alarm.skill,
        records=found.backtests,
        figures=told,
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
