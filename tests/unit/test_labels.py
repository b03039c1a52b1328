from collections import Counter

import msgspec
import pytest

from pipeline.tagging.labels import load_labels, parse_labels

TREE = b'[tree]\njoy = ["relief"]\n'
TASK = b'[tasks.mood]\nreference = "Nobody (2026)"\nmin_authors = 5\nfinest = "day"\n'


def test_every_task_of_the_design_has_its_labels() -> None:
    counted = Counter(label.task for label in load_labels())
    assert counted == {
        "basic-emotion": 7,
        "fine-emotion": 29,
        "valence": 2,
        "intensity": 1,
        "tone": 1,
        "cause": 14,
        "cause-span": 1,
        "cause-type": 3,
        "marker": 14,
    }


def test_no_label_is_listed_twice() -> None:
    keys = [label.key for label in load_labels()]
    assert len(keys) == len(set(keys))


def test_markers_and_tone_need_ten_authors_and_a_day_the_rest_five_and_an_hour() -> (
    None
):
    strict = ("marker", "tone")
    rules = {(x.task in strict, x.min_authors, x.finest) for x in load_labels()}
    assert rules == {(True, 10, "day"), (False, 5, "hour")}


def test_only_suicidality_is_off_unless_asked_for() -> None:
    off = [label.key for label in load_labels() if label.default_off]
    assert off == [("marker", "suicidality")]


def test_every_fine_emotion_but_neutral_hangs_on_the_tree() -> None:
    loose = [x.label for x in load_labels() if x.task == "fine-emotion" if not x.parent]
    assert loose == ["neutral"]


def test_the_list_is_the_callers_own() -> None:
    load_labels().clear()
    assert load_labels()


def test_a_label_without_a_reference_has_its_tasks() -> None:
    labels = b'[tasks.mood.labels]\nease = { definition = "Nothing hurts at all." }\n'
    (label,) = parse_labels(TREE + TASK + labels)
    assert (label.task, label.label, label.reference) == (
        "mood",
        "ease",
        "Nobody (2026)",
    )


def test_a_parent_that_is_not_on_the_tree_is_refused() -> None:
    ease = b'ease = { definition = "Nothing hurts at all.", parent = "joy/rage" }\n'
    with pytest.raises(ValueError, match="not on the tree: the parents of ease"):
        parse_labels(TREE + TASK + b"[tasks.mood.labels]\n" + ease)


@pytest.mark.parametrize("line", [b'color = "red"', b'definition = "x"'])
def test_an_unknown_key_or_an_empty_definition_is_refused(line: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        parse_labels(TREE + TASK + b"[tasks.mood.labels.ease]\n" + line)
