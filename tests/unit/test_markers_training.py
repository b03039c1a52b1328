import gzip
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.tagging.calibration import Scale
from pipeline.tagging.encoder import Reading
from pipeline.tagging.heads import load_outputs, load_scales
from pipeline.tagging.labels import load_labels
from pipeline.training import markers
from pipeline.training import markers_texts as source
from pipeline.training.markers import (
    Comparison,
    Fitted,
    Model,
    Place,
    held_out,
    rarer,
)
from pipeline.training.markers_fit import (
    Figures,
    Head,
    figures,
    fit,
    fit_careful,
    unseen_logits,
    unseen_scores,
)

RANDOM = np.random.default_rng(3)
WIDTH = 6


def separable(count: int) -> tuple[np.ndarray, np.ndarray]:
    """States, and two labels that depend on one direction each."""
    states = RANDOM.normal(size=(count, WIDTH))
    likely = 1 / (1 + np.exp(-3 * states[:, :2] + [0.0, 3.0]))
    return states, (RANDOM.random((count, 2)) < likely).astype(float)


def test_heads_find_the_direction_of_each_label() -> None:
    states, truth = separable(4_000)
    head = fit(states, truth, np.ones(len(states)), 0.3)
    assert head.weight[0, 0] == pytest.approx(3.0, abs=0.4)
    assert head.weight[1, 1] == pytest.approx(3.0, abs=0.5)
    assert np.abs(head.weight[:, 2:]).max() < 0.4
    assert head.only(1).logits(states) == pytest.approx(head.logits(states)[:, 1:])


def test_texts_that_count_less_pull_less() -> None:
    states = np.ones((20, WIDTH))
    truth = np.array([[1.0]] * 10 + [[0.0]] * 10)
    few = np.array([1.0] * 10 + [0.1] * 10)
    equal, unequal = (fit(states, truth, c, 1.0) for c in (np.ones(20), few))
    assert float(equal.logits(states)[0, 0]) == pytest.approx(0.0, abs=0.01)
    assert float(unequal.logits(states)[0, 0]) > 1


def test_no_head_has_seen_the_text_it_is_judged_on() -> None:
    states = RANDOM.normal(size=(200, 50))
    truth = (RANDOM.random((200, 1)) < 0.5).astype(float)
    counts = np.ones(200)
    seen = fit(states, truth, counts, 0.01).logits(states) > 0
    unseen = unseen_logits(states, truth, counts, 0.01) > 0
    assert (seen == truth).mean() > 0.75
    assert (unseen == truth).mean() < 0.65


def test_scores_of_unseen_texts_are_true() -> None:
    states, truth = separable(4_000)
    logits = unseen_logits(states, truth, np.ones(len(states)), 0.3)[:, 0]
    found = figures(*unseen_scores(logits, truth[:, 0] > 0), truth[:, 0] > 0)
    assert found.texts == truth[:, 0].sum()
    assert found.f1 > 0.75
    assert found.calibration_error < 0.05


def test_a_careful_scale_marks_nothing_less_likely() -> None:
    states, truth = separable(2_000)
    logits, true = states[:, 1] * 3 - 3, truth[:, 1] > 0
    assert fit_careful(logits, true).threshold < 0.6
    assert fit_careful(logits, true, 0.7).threshold == 0.7
    scores, flagged = unseen_scores(logits, true, 0.7)
    assert flagged.any()
    assert scores[flagged].min() >= 0.7


def test_the_held_out_fifth_is_always_the_same() -> None:
    assert [len(held_out(n)) for n in range(5)] == [320, 768, 636, 567, 591]
    assert held_out(4) == held_out(4)
    assert max(held_out(3)) < markers.SIZES[3]


def test_a_head_is_compared_with_the_lexicon_on_the_same_texts() -> None:
    true = np.array([True, True, False, False])
    words = np.array([True, False, True, False])
    chance = np.array([True, True, False, False])
    found = Comparison(true, words, true, chance)
    assert found.is_won
    assert not Comparison(words, true, true, chance).is_won
    assert str(found) == "lexicon 0.50, at random 1.00 and 0.67"


def test_every_label_of_the_sentences_and_readings_is_known() -> None:
    known = {label.label for label in load_labels() if label.task == "marker"}
    written = source.sentences()
    assert {label for given in written.labels for label in given} <= known
    assert {*source.LEARNED} <= known
    lines = (source.HERE / "markers_sad.tsv").read_text().splitlines()[1:]
    labels = {label for line in lines for label in line.split("\t")[2].split()}
    assert labels <= known
    assert len({line.split("\t")[0] for line in lines}) == len(lines)


def test_of_each_chat_the_same_messages_are_drawn_first(tmp_path: Path) -> None:
    folder = tmp_path / "streams"
    folder.mkdir()
    lines = [json.dumps({"text": f"message number {n}"}) for n in range(50)]
    for name in source.CHATS:
        with gzip.open(folder / f"{name}.jsonl.gz", "wt") as file:
            file.write("\n".join([*lines, lines[0], '{"text": "short"}']))
    few, more = (source.chats(tmp_path, count, 0.5) for count in (2, 3))
    assert len(few.texts) == 2 * len(source.CHATS)
    assert set(few.texts) <= set(more.texts)
    assert few.labels == [frozenset()] * len(few.texts)


class CountingEncoder:
    """Finds as a text's state what its words begin with."""

    def read(self, text: str) -> Reading:
        state = np.zeros(26, dtype=np.float32)
        for word in text.lower().split():
            state[(ord(word[0]) - 97) % 26] += 1
        return Reading(state[np.newaxis], state, [])


def small_model(folder: Path) -> Model:
    """One whose every head speaks for its own letter."""
    names = [*markers._STRESS, *markers._FRUSTRATION]
    names += [(markers._INCIVIL, name) for name in source.TONES.values()]
    heads = [{"task": task, "label": label} for task, label in dict.fromkeys(names)]
    (folder / "heads.json").write_text(json.dumps(heads))
    weight = np.eye(len(heads), 26) * 5
    np.savez(folder / "emotions.npz", weight=weight, bias=np.full(len(heads), -2.0))
    return Model(folder, CountingEncoder())


def test_some_of_an_encoders_heads_become_one(tmp_path: Path) -> None:
    model = small_model(tmp_path)
    head = model.head(markers._FRUSTRATION)
    assert head.weight.shape == (1, 26)
    assert head.weight.sum() == pytest.approx(5)
    assert head.logits(model.states(["a b c d e f"]))[0, 0] == pytest.approx(3.0)


def test_a_label_is_as_likely_as_it_is_common() -> None:
    moved = rarer(Scale(2.0, 0.0, 0.5), share=0.5, common=0.1)
    assert moved.probability(0.0) == pytest.approx(0.1, abs=0.001)
    assert rarer(moved, share=0.1, common=0.5).bias == pytest.approx(0.0, abs=0.001)


def test_what_is_written_is_what_a_tagger_reads(tmp_path: Path) -> None:
    head = Head(np.array([[0.5, -1.0]]), np.array([2.0]))
    scale = SimpleNamespace(slope=1.5, bias=-0.25, threshold=0.4)
    known = Figures(3, 0.5, 0.4, 0.6, 0.01)
    fitted = [
        Fitted(Place("marker", "any", "sleep"), head, scale, known, "a note"),
        Fitted(Place("tone", "github", "uncivil"), head, scale, known),
    ]
    markers.write(fitted, tmp_path)
    outputs = load_outputs(tmp_path / "markers.npz")
    assert outputs.weight == pytest.approx(np.array([[0.5, -1.0]] * 2))
    scales = load_scales(tmp_path / "markers.toml").on("github")
    assert {key: one.outputs for key, one in scales.items()} == {
        ("marker", "sleep"): (0,),
        ("tone", "uncivil"): (1,),
    }
    assert scales["marker", "sleep"].threshold == 0.4
    first, *lines = markers.report(fitted).splitlines()
    assert first.split() == ["texts", "F1", "prec.", "rec.", "ECE"]
    assert lines[0].endswith("a note")
