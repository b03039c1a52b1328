import time

import numpy as np
import pytest

from pipeline.evaluation.bootstrap import interval, resampled
from pipeline.evaluation.figures import Judged, LabelTally, Name, Tally
from pipeline.evaluation.spans import Nearness, SpanTally, nearness
from pipeline.tagging.fit_lexicon import calibration_error

BOTH = frozenset({"anger", "joy"})


def judged(
    labels: str, flagged: str, known: frozenset[str] = BOTH, **scores: float
) -> Judged:
    return Judged(known, frozenset(labels.split()), frozenset(flagged.split()), scores)


def whole(tally: Tally) -> dict[Name, float]:
    found = tally.figures(tally.rows.sum(axis=0, keepdims=True))
    return {name: float(values[0]) for name, values in found.items()}


def test_f1_precision_and_recall_count_flagged_marks() -> None:
    tally = LabelTally(
        [
            judged("anger", "anger joy"),
            judged("anger", ""),
            judged("joy", "joy"),
            judged("", "anger"),
        ]
    )
    figures = whole(tally)
    assert figures[Name("micro_f1")] == pytest.approx(4 / 7)
    assert figures[Name("macro_f1")] == pytest.approx((2 / 4 + 2 / 3) / 2)
    assert figures[Name("precision", "anger")] == pytest.approx(1 / 2)
    assert figures[Name("recall", "anger")] == pytest.approx(1 / 2)
    assert figures[Name("precision", "joy")] == pytest.approx(1 / 2)
    assert figures[Name("recall", "joy")] == 1.0


def test_a_label_that_is_never_flagged_has_no_precision() -> None:
    figures = whole(LabelTally([judged("anger joy", "joy")]))
    assert np.isnan(figures[Name("precision", "anger")])
    assert figures[Name("f1", "anger")] == 0.0


def test_probabilities_are_those_of_all_pairs_and_0_where_there_is_no_mark() -> None:
    tally = LabelTally([judged("anger", "", anger=0.8), judged("joy", "", anger=0.4)])
    squares = [0.2**2, 0.0, 0.4**2, 1.0]
    assert whole(tally)[Name("brier")] == pytest.approx(np.mean(squares))


def test_the_calibration_error_is_that_of_the_fitted_scales() -> None:
    random = np.random.default_rng(1)
    scores = random.random((200, 2)).round(4)
    true = random.random((200, 2)) < scores
    tally = LabelTally(
        [
            Judged(
                BOTH,
                frozenset(np.array(["anger", "joy"])[row].tolist()),
                frozenset(),
                {"anger": float(anger), "joy": float(joy)},
            )
            for (anger, joy), row in zip(scores, true, strict=True)
        ]
    )
    expected = calibration_error(scores.ravel(), true.ravel())
    assert whole(tally)[Name("ece")] == pytest.approx(expected)


def test_what_nobody_looked_for_in_a_set_is_not_judged_there() -> None:
    tally = LabelTally(
        [
            judged("joy", "joy disgust", disgust=0.9),
            judged("disgust", "disgust", known=frozenset({"disgust"}), disgust=1.0),
        ]
    )
    figures = whole(tally)
    assert figures[Name("precision", "disgust")] == 1.0
    assert figures[Name("brier")] == pytest.approx(1 / 3)


def test_a_label_that_a_resample_lacks_counts_for_no_mean() -> None:
    tally = LabelTally([judged("anger joy", "anger"), judged("anger", "anger")])
    lacking = tally.figures(tally.rows[1:])
    assert lacking[Name("macro_f1")][0] == 1.0
    assert np.isnan(lacking[Name("f1", "joy")][0])


def test_resamples_draw_as_many_messages_as_there_are() -> None:
    rows = np.array([[1.0, 3.0], [1.0, 5.0], [1.0, 10.0]])
    drawn = resampled(rows, 250)
    assert drawn.shape == (250, 2)
    assert set(drawn[:, 0]) == {3.0}
    assert drawn[:, 1].min() >= 9.0
    assert len(set(drawn[:, 1])) > 5


def test_two_taggers_are_drawn_alike() -> None:
    rows = np.random.default_rng(2).random((50, 3))
    assert np.array_equal(resampled(rows), resampled(rows))
    assert np.array_equal(2 * resampled(rows), resampled(2 * rows))


def test_the_interval_of_a_mean_is_that_of_theory() -> None:
    values = np.random.default_rng(3).normal(size=(400, 1))
    low, high = interval(resampled(values)[:, 0] / 400)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.02)
    assert high == pytest.approx(values.mean() + half, abs=0.02)


def test_what_is_unknown_has_no_interval() -> None:
    assert np.isnan(interval(np.array([np.nan, np.nan]))).all()


def test_five_thousand_messages_and_28_labels_are_resampled_in_a_second() -> None:
    rows = np.random.default_rng(4).random((5_000, 110))
    start = time.process_time()
    resampled(rows)
    assert time.process_time() - start < 3.0


def test_a_cause_that_is_found_to_the_word_is_exact() -> None:
    assert nearness("the flaky tests", "The flaky test!") == Nearness(1, 1, 1, 1)


def test_a_cause_that_is_not_found_is_no_match_at_all() -> None:
    assert nearness("the flaky tests", "") == Nearness(0, 0, 0, 0)
    assert nearness("", "") == nearness("?", "!") == Nearness(0, 0, 0, 0)


# As ../shared/score/score.py has them.
@pytest.mark.parametrize(
    ("wanted", "got", "figures"),
    [
        (
            "the build keeps failing",
            "build keeps failing again",
            (0.7303, 0.7071, 0.75, 0),
        ),
        ("the build keeps failing", "keeps", (0.0235, 0.0157, 0.4, 0)),
        ("it's broken", "nothing here", (0.0817, 0, 0, 0)),
        ("waiting for weeks", "waited for a week", (0.8619, 0.5, 0.8571, 0)),
    ],
)
def test_near_causes_are_as_near_as_others_measure_them(
    wanted: str, got: str, figures: tuple[float, ...]
) -> None:
    assert nearness(wanted, got) == pytest.approx(figures, abs=1e-4)


def test_means_of_causes_count_what_was_not_answered() -> None:
    tally = SpanTally([(Nearness(1, 1, 1, 1), True), (Nearness(0, 0, 0, 0), False)])
    figures = whole(tally)
    assert figures[Name("char_bleu2")] == 0.5
    assert figures[Name("answered")] == 0.5
