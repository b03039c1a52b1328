"""What is refused before a backtest begins: at once, without its slow imports."""

import os
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from pipeline.errors import InputError
from pipeline.forecast.series import MIN_KNOWN, Series, counted
from pipeline.forecast.series_csv import read_csv

LONGEST_HORIZON = 28

_EVEN = 3
"""Days by which a constant spacing varies: months are 28 to 31 days long."""


def read_series(
    series_csv: Path, *, horizon: int, days: int, outputs: Sequence[Path | None]
) -> Series:
    """The series, if it can be backtested as asked.

    Args:
        series_csv: columns date and value; `-` is standard input.
        horizon: days ahead.
        days: origins; fewer where the series is too short for as many.
        outputs: what is to be written at the end; None where it is not wanted.

    Raises:
        InputError: the series cannot be used, or an output cannot be written.
    """
    _check_arguments(horizon, days)
    _check_outputs(series_csv, [path for path in outputs if path is not None])
    series = read_csv(series_csv)
    _check_length(series, horizon)
    _check_spacing(series)
    return series


def _check_arguments(horizon: int, days: int) -> None:
    if not 1 <= horizon <= LONGEST_HORIZON:
        raise InputError(
            f"a horizon of {horizon} days cannot be forecast: "
            f"choose 1 to {LONGEST_HORIZON}"
        )
    if days < 1:
        raise InputError(f"{days} origins leave nothing to test: choose at least 1")


def _check_outputs(series_csv: Path, paths: Sequence[Path]) -> None:
    for path in paths:
        if path.resolve() == series_csv.resolve():
            raise InputError(f"{path} is the series itself: write to another file")
        if not _writable(path):
            raise InputError(
                f"{path} cannot be written: choose a file in a folder that is there "
                "and may be written to"
            )
    for one, other in combinations(paths, 2):
        if one.resolve() == other.resolve():
            raise InputError(f"{one} is asked for twice: write to two files")


def _writable(path: Path) -> bool:
    if os.access(path, os.F_OK):
        return os.access(path, os.W_OK) and not path.is_dir()
    return os.access(path.parent, os.W_OK) and path.parent.is_dir()


def _check_length(series: Series, horizon: int) -> None:
    series.check_usable()
    # Fewer known days than `MIN_KNOWN` before the last origin leave no origin at all.
    known = int(np.isfinite(series.values[:-horizon]).sum())
    if known < MIN_KNOWN:
        told = counted(known, "known day")
        raise InputError(
            f"{series.title} has {told} before the last {horizon}: "
            f"a backtest needs at least {MIN_KNOWN}, so give more days"
        )


def _check_spacing(series: Series) -> None:
    """Refuse weekly and monthly values: seven of them are no week."""
    spacing = np.diff(np.flatnonzero(np.isfinite(series.values)))
    least, usual, most = np.quantile(spacing, [0.1, 0.5, 0.9])
    if least > 1 and most - least <= _EVEN:
        raise InputError(
            f"{series.title} has a value every {usual:.0f} days: a backtest is of "
            "daily values, so give one a day, or leave out days without one"
        )
