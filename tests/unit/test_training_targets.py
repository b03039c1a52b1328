import numpy as np
import pytest

from pipeline.training.targets import NOBODY, HardTargets, MixedTargets

NAN = np.nan
LABELS = np.array([[1.0, NAN, 0.0], [NAN, 0.5, NAN]], np.float32)
SCORES = np.array([[255, 0], [51, 102]], np.uint8)


def test_all_that_is_known_of_a_text_counts_the_same_and_adds_up_to_one() -> None:
    wanted, counts = HardTargets(LABELS)(np.array([1, 0]))
    assert wanted.tolist() == [[0.0, 0.5, 0.0], [1.0, 0.0, 0.0]]
    assert counts.tolist() == [[0.0, 1.0, 0.0], [0.5, 0.0, 0.5]]


def mixed() -> MixedTargets:
    # Text 0 has both, 1 labels alone, 2 scores alone, 3 nothing. Of the outputs the
    # teachers know the first, in their second column, and the third, in their first.
    return MixedTargets(
        LABELS,
        np.array([0, 1, NOBODY, NOBODY]),
        SCORES,
        np.array([1, NOBODY, 0, NOBODY]),
        np.array([1, NOBODY, 0]),
    )


def test_people_and_teachers_share_a_text_half_and_half() -> None:
    wanted, counts = mixed()(np.arange(4))
    assert counts.sum(axis=1).tolist() == [1.0, 1.0, 1.0, 0.0]
    assert wanted[0] == pytest.approx([(1 + 0.4) / 2, 0.0, (0 + 0.2) / 2])
    assert wanted[1].tolist() == [0.0, 0.5, 0.0]
    assert wanted[2].tolist() == [0.0, 0.0, 1.0]
    assert counts[2].tolist() == [0.5, 0.0, 0.5]


def test_a_mean_of_two_targets_costs_what_the_two_cost() -> None:
    def cost(said: float, wanted: float) -> float:
        return float(np.logaddexp(0, said) - said * wanted)

    wanted, counts = mixed()(np.array([0]))
    both = (cost(0.3, 1.0) + cost(0.3, 0.4)) / 2
    assert cost(0.3, wanted[0, 0]) * counts[0, 0] == pytest.approx(both / 2, abs=1e-6)
