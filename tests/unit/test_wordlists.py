from collections import defaultdict

import pytest

from pipeline.tagging.calibration import load_calibration, logistic
from pipeline.tagging.labels import load_labels
from pipeline.tagging.phrases import spellings
from pipeline.tagging.wordlists import (
    Entry,
    format_entries,
    load_entries,
    load_phrases,
    parse_entries,
)

TASKS = ("basic-emotion", "fine-emotion", "cause", "marker")
MAX_WEIGHT = 5.0


def labels_of(task: str) -> set[str]:
    return {label.label for label in load_labels() if label.task == task}


@pytest.mark.parametrize("task", TASKS)
def test_lists_and_labels_agree(task: str) -> None:
    silent = {"neutral"} if task == "fine-emotion" else set()
    assert {entry.label for entry in load_entries(task)} == labels_of(task) - silent


@pytest.mark.parametrize("task", ["basic-emotion", "fine-emotion", "marker"])
def test_every_label_has_its_scale(task: str) -> None:
    assert load_calibration().scales[task].keys() == labels_of(task)


@pytest.mark.parametrize("task", TASKS)
def test_every_entry_is_sound(task: str) -> None:
    for entry in load_entries(task):
        assert spellings(entry.phrase)
        assert 0 < entry.prior <= MAX_WEIGHT
        assert 0 <= entry.weight <= MAX_WEIGHT
        assert entry.origin in {"hand", "goemotions", "model"}


@pytest.mark.parametrize("task", TASKS)
def test_no_entry_is_hidden_by_others_of_its_label(task: str) -> None:
    seen: dict[str, set[str]] = defaultdict(set)
    for entry in load_entries(task):
        own = set(spellings(entry.phrase))
        assert own - seen[entry.label], entry.phrase
        seen[entry.label] |= own


@pytest.mark.parametrize(
    "name", ["technical", "negation", "trouble", "things", "people"]
)
def test_the_lists_without_labels_hold_patterns(name: str) -> None:
    phrases = load_phrases(name)
    assert len(phrases) == len(set(phrases))
    assert all(map(spellings, phrases))


@pytest.mark.parametrize("task", ["basic-emotion", "fine-emotion", "marker"])
def test_nothing_technical_is_felt(task: str) -> None:
    technical = {s for phrase in load_phrases("technical") for s in spellings(phrase)}
    own = {s for entry in load_entries(task) for s in spellings(entry.phrase)}
    assert sorted(technical & own) == []


def test_a_list_reads_back_as_it_was_written() -> None:
    entries = [Entry("joy", 2.5, 1.75, "hand", "so {very ,}glad")]
    assert parse_entries(format_entries(entries)) == entries


@pytest.mark.parametrize("tsv", ["", "label\tphrase\n", "joy\t1\t1\thand\tglad\n"])
def test_a_list_without_its_header_is_refused(tsv: str) -> None:
    with pytest.raises(ValueError, match="header"):
        parse_entries(tsv)


@pytest.mark.parametrize(
    ("logit", "probability"), [(0, 0.5), (1e9, 1.0), (-1e9, 0.0), (2, 0.8808)]
)
def test_any_logit_is_a_probability(logit: float, probability: float) -> None:
    assert logistic(logit) == pytest.approx(probability, abs=1e-4)
