"""What models are told beside the values of a series."""

from datetime import date, timedelta

import numpy as np

from pipeline.forecast.backtest import track
from pipeline.forecast.beside import beside
from pipeline.forecast.series import Array, Series

START = date(2024, 3, 1)


def counted(label: str, marked: Array, later: int = 0) -> Series:
    crowd = np.full(marked.size, 100.0)
    return Series("all", "cause", label, START + timedelta(later), crowd, marked)


def test_related_labels_stand_at_the_days_of_the_series() -> None:
    own = counted("bug", np.arange(6.0))
    later, earlier = (
        counted("tone", np.array([10.0, 20.0, 30.0]), shift) for shift in (4, -1)
    )
    gone = counted("workload", np.ones(3), -9)
    known = beside(own, [later, earlier, gone])
    nothing = np.nan
    np.testing.assert_array_equal(
        known.labels,
        [
            [nothing, nothing, nothing, nothing, 0.1, 0.2],
            [0.2, 0.3, nothing, nothing, nothing, nothing],
            [nothing] * 6,
        ],
    )


def test_measurements_have_no_messages() -> None:
    days = np.arange(20.0)
    measured = Series("a", "", "b", START, np.ones(20), days, counted=False)
    assert beside(measured).messages.size == 0
    assert beside(counted("bug", days)).messages.tolist() == [100.0] * 20


def test_a_track_has_the_models_that_its_series_allows() -> None:
    series = counted("bug", np.arange(40.0) % 9)
    alone = track(series, 7)
    together = track(series, 7, related=[counted("tone", np.arange(40.0) % 8)])
    assert ("counts" in alone.names, "VAR" in alone.names) == (True, False)
    assert ("counts" in together.names, "VAR" in together.names) == (True, True)
