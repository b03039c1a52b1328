"""Nulls of an encoder that knows words by heart."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from pipeline.evaluation.faithfulness import Pointed, pointed
from pipeline.tagging.encoder import Reading, Word, unpacked
from pipeline.tagging.heads import Heads
from pipeline.tagging.tagger import TextToTag
from pipeline.training import null_models
from pipeline.training.export import packed
from pipeline.training.null_models import (
    HeadsTagger,
    Texts,
    compare,
    emotion_heads,
    explained,
    fit_heads,
    random_heads,
    scaled,
    shuffle_encoder,
    shuffled,
)

WIDTH = 24
KEYS = [("basic-emotion", "anger"), ("basic-emotion", "joy")]
WORDS = [f"word{chr(ord('a') + n)}" for n in range(WIDTH)]


class WordEncoder:
    """Each word is its own direction."""

    def read(self, text: str) -> Reading:
        words, states, at = [], [], 0
        for n, word in enumerate(text.split()):
            words.append(Word(n, n + 1, (at, at + len(word))))
            states.append(np.eye(WIDTH, dtype=np.float32)[WORDS.index(word)])
            at += len(word) + 1
        found = np.array(states)
        return Reading(found, found.mean(axis=0), words)


def heads(weight: Any, slope: float = 1.0) -> Heads:
    two = np.ones(2)
    return Heads(
        KEYS, np.asarray(weight, np.float32), 0 * two, slope * two, 0 * two, two / 2
    )


def speaks_of(column: int) -> Any:
    weight = np.full((2, WIDTH), -2.0)
    weight[0, column], weight[1, column + 1] = 30.0, 30.0
    return weight


def texts(count: int = 40) -> list[TextToTag]:
    random = np.random.default_rng(1)
    drawn = [random.permutation(np.arange(2, WIDTH))[:9].tolist() for _ in range(count)]
    return [
        TextToTag(" ".join(WORDS[n] for n in [*some[:4], which % 2, *some[4:]]), *rest)
        for which, some in enumerate(drawn)
        for rest in [("en", "github", ())]
    ]


def tagger(name: str, weight: Any) -> HeadsTagger:
    encoder: Any = WordEncoder()
    return HeadsTagger(name, encoder, heads(weight))


def test_marks_point_at_the_words_that_speak_loudest() -> None:
    (marks,) = tagger("x", speaks_of(0)).tag(
        [TextToTag("wordc worda wordd", "en", "", ())]
    )
    anger = next(mark for mark in marks if mark.label == "anger")
    assert anger.flagged
    assert anger.evidence == (6, 11)
    assert tagger("x", speaks_of(0)).tag([TextToTag(" ", "en", "", ())]) == [[]]


def test_a_null_explains_worse_by_all_scores() -> None:
    shipped, null = tagger("shipped", speaks_of(0)), tagger("null", speaks_of(8) / 30)
    marks = pointed(shipped, texts())
    assert len(marks) == 40
    figures = {
        (one.name, one.test): one
        for one in compare(marks, [shipped, null], show_progress=False)
    }
    assert {name for name, _ in figures} == {
        "shipped, own scores",
        "null, shipped scores",
        "null, own scores",
    }
    for test in ("comprehensiveness", "sufficiency"):
        good = figures["shipped, own scores", test]
        assert good.low > 0.3
        for whose in ("shipped", "own"):
            assert figures[f"null, {whose} scores", test].high < good.low


def test_explanations_are_of_the_same_marks() -> None:
    marks = [Pointed(text, KEYS[0], (0, 1)) for text in texts(4)]
    found = explained(tagger("x", speaks_of(0)), marks)
    assert [mark.text for mark in found] == [mark.text for mark in marks]
    assert all(mark.evidence != (0, 1) for mark in found)
    other = [mark._replace(key=("marker", "stress")) for mark in marks]
    assert explained(tagger("x", speaks_of(0)), other) == []


def test_random_heads_are_as_long_and_point_elsewhere() -> None:
    shipped = emotion_heads()
    drawn = random_heads(shipped, np.random.default_rng(0))
    lengths = [np.linalg.norm(one.weight, axis=1) for one in (shipped, drawn)]
    assert lengths[0] == pytest.approx(lengths[1], rel=1e-4)
    cosines = (shipped.weight * drawn.weight).sum(axis=1) / lengths[0] ** 2
    assert np.abs(cosines).max() < 0.3
    assert len(shipped.keys) == 6


def labelled(count: int) -> Texts:
    random = np.random.default_rng(5)
    states = random.normal(size=(count, WIDTH))
    return Texts([], states, states[:, :2] > 0.8)


def test_heads_learn_true_labels_and_nothing_of_shuffled_ones() -> None:
    fitted, held = labelled(600), labelled(300)._replace()
    random = np.random.default_rng(2)
    learnt = scaled(fit_heads(fitted.states, fitted.truth, heads(speaks_of(0))), held)
    other, elsewhere = shuffled(fitted, random), shuffled(held, random)
    lost = scaled(fit_heads(other.states, other.truth, learnt), elsewhere)
    said = [
        [one.scores(state.astype(np.float32))[0] for state in held.states]
        for one in (learnt, lost)
    ]
    true = held.truth[:, 0]
    assert np.corrcoef(said[0], true)[0, 1] > 0.8
    assert abs(np.corrcoef(said[1], true)[0, 1]) < 0.3
    assert np.std(said[1]) < np.std(said[0]) / 2


def test_the_matrices_of_a_shuffled_encoder_hold_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(3)
    weight, bias = random.normal(size=(3, 4)), random.normal(size=4)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["ids", "weight", "bias"], ["states"])],
        "tiny",
        [helper.make_tensor_value_info("ids", TensorProto.DOUBLE, [1, 3])],
        [helper.make_tensor_value_info("states", TensorProto.DOUBLE, [1, 4])],
        [
            numpy_helper.from_array(weight, "weight"),
            numpy_helper.from_array(bias, "bias"),
        ],
    )
    whole, other = tmp_path / "whole", tmp_path / "other"
    whole.mkdir()
    other.mkdir()
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    (whole / "lower.onnx.gz").write_bytes(packed(model))
    (whole / "tokenizer.json").write_text("{}")
    monkeypatch.setattr(
        null_models, "Encoder", lambda folder, **_: SimpleNamespace(folder=folder)
    )
    shuffle_encoder(whole, other, random)
    assert (other / "tokenizer.json").exists()
    session = ort.InferenceSession(unpacked(other / "lower.onnx.gz"))
    rows = [session.run(None, {"ids": row[None]})[0][0] - bias for row in np.eye(3)]
    assert not np.allclose(rows, weight)
    assert np.sort(np.ravel(rows)) == pytest.approx(np.sort(weight.ravel()))
