"""A forecast taken up where the last one ended is the same as one made anew."""

from datetime import date

import numpy as np
import pytest

from pipeline.forecast.backtest import Track, track
from pipeline.forecast.series import Array, Series

DAYS = 150
EARLIER = (90, 149, 150)
"""Before and after the last refit, and all there is."""


def days(number: int) -> Series:
    """Days that follow each other, with gaps; the first ones are always the same."""
    random = np.random.default_rng(4)
    messages = random.poisson(80, DAYS).astype(float)
    share = 0.1 + 0.03 * np.sin(np.arange(DAYS) / 9)
    marked = random.binomial(messages.astype(int), share).astype(float)
    messages[[40, 97, 98]] = np.nan
    name = ("all", "basic-emotion", "anger")
    return Series(*name, date(2024, 1, 1), messages[:number], marked[:number])


@pytest.fixture(scope="module")
def anew() -> Track:
    return track(days(DAYS), 7)


def kept(before: Track) -> dict[str, Array]:
    return dict(zip(before.names, before.paths, strict=True))


@pytest.mark.parametrize("earlier", EARLIER)
def test_paths_are_taken_over_and_continued_to_the_bit(
    anew: Track, earlier: int
) -> None:
    resumed = track(days(DAYS), 7, before=kept(track(days(earlier), 7)))
    np.testing.assert_array_equal(resumed.paths, anew.paths)


def test_what_is_taken_over_is_not_computed(anew: Track) -> None:
    zeros = {name: np.zeros((149, 7)) for name in anew.names}
    resumed = track(days(DAYS), 7, before=zeros)
    assert not resumed.paths[:, :149].any()
    np.testing.assert_array_equal(resumed.paths[:-1, 149], anew.paths[:-1, 149])
