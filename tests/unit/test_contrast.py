import numpy as np
import pytest
from scipy import sparse

from pipeline.training.contrast import contrast

COUNTED = sparse.csr_matrix([[1.0, 1.0, 0.0], [0.0, 1.0, 3.0], [1.0, 1.0, 0.0]])
WANTED = np.array([1.0, 0.0, 1.0])


def test_a_word_of_all_texts_tells_less_than_one_of_one_kind() -> None:
    told = contrast(COUNTED, WANTED, 1.0)
    assert told[1] < told[0] < told[2]


def test_it_is_the_log_of_how_much_likelier_a_word_is_with_the_label() -> None:
    yes, no = np.array([3, 3, 1]) / 7, np.array([1, 2, 4]) / 7
    expected = np.abs(np.log(yes / no))
    assert contrast(COUNTED, WANTED, 1.0) == pytest.approx(expected)
    assert contrast(COUNTED, WANTED, 0.5) == pytest.approx(expected**0.5)


def test_without_power_all_words_are_alike() -> None:
    assert contrast(COUNTED, WANTED, 0.0).tolist() == [1.0, 1.0, 1.0]


def test_a_text_may_have_a_label_in_part() -> None:
    sure = contrast(COUNTED, WANTED, 1.0)
    unsure = contrast(COUNTED, np.array([0.6, 0.4, 0.6]), 1.0)
    assert (unsure < sure).all()
