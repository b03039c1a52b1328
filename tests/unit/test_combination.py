"""The combination follows what has been right, and nothing that is yet to come."""

import numpy as np
import pytest

from pipeline.forecast.combination import combined, weights
from pipeline.forecast.series import Array


def losses(*by_model: float, days: int = 200) -> Array:
    return np.repeat(np.array(by_model)[:, np.newaxis], days, axis=1)


def test_weights_add_up_to_one() -> None:
    found = weights(losses(1.0, 2.0, 3.0))
    np.testing.assert_allclose(found.sum(axis=0), 1.0)


def test_the_model_that_erred_least_weighs_most() -> None:
    found = weights(losses(1.0, 1.1, 2.0))[:, -1]
    assert found[0] > found[1] > found[2]
    assert found[2] < 0.01


def test_before_the_first_error_all_weigh_alike() -> None:
    found = weights(np.full((4, 10), np.nan))
    np.testing.assert_allclose(found, 0.25)


def test_where_none_ever_erred_all_weigh_alike() -> None:
    np.testing.assert_allclose(weights(losses(0.0, 0.0)), 0.5)


def test_a_model_that_has_become_the_better_one_takes_over_within_a_year() -> None:
    once = np.hstack([losses(1.0, 2.0, days=500), losses(2.0, 1.0, days=365)])
    found = weights(once)
    assert found[0, 499] > 0.99
    assert found[1, -1] > 0.99


def test_later_errors_change_no_weight() -> None:
    known = losses(1.0, 1.1)
    changed = known.copy()
    changed[:, 151:] = np.nan
    assert weights(known)[:, 150].tolist() == weights(changed)[:, 150].tolist()


def test_the_path_is_the_weighted_mean_of_the_paths() -> None:
    paths = np.stack([np.zeros((10, 7)), np.ones((10, 7))])
    path = combined(paths, np.full((2, 10), np.nan))
    assert path == pytest.approx(np.full((10, 7), 0.5))
