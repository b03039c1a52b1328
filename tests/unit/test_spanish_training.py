import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from pipeline.training import spanish, spanish_network
from pipeline.training.corpora import Output
from pipeline.training.network import Network, load_network
from pipeline.training.spanish import NARROW, Training
from pipeline.training.spanish_base import FRAME, tokenizer
from pipeline.training.spanish_corpora import (
    BRIGHTER,
    GOEMOTIONS,
    XED,
    Example,
    auxiliary,
    brighter_spanish,
    outputs,
)
from pipeline.training.spanish_network import Material, learn, prepare, read

OUTPUTS = [Output("one", "joy"), Output("one", "fear"), Output("two", "joy")]
SMALL = NARROW._replace(epochs=2, tokens=32)
WORDS = ("▁", "▁qué", "▁pena", "▁risa", "▁me", "▁da", "▁miedo", "a", "e", "n", "o")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def shape() -> BertConfig:
    return BertConfig(
        vocab_size=len(FRAME) + len(WORDS),
        hidden_size=12,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=192,
    )


def network() -> Network:
    torch.manual_seed(1)
    return Network(BertModel(shape(), add_pooling_layer=False), len(OUTPUTS))


def pieces() -> Tokenizer:
    listed = [*FRAME, *WORDS]
    return tokenizer(listed, [0.0] * len(FRAME) + [-3.0] * len(WORDS))


@pytest.fixture(scope="module")
def material() -> Material:
    examples = [
        Example("one", "qué risa", frozenset({"joy"})),
        Example("one", "me da miedo", frozenset({"fear"})),
        Example("one", "me da pena a", frozenset()),
    ]
    return prepare(pieces(), examples * 4, OUTPUTS)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    torch.manual_seed(1)
    BertModel(shape(), add_pooling_layer=False).save_pretrained(folder)
    pieces().save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    emotion = tmp_path / "data" / "emotion"
    emotion.mkdir(parents=True)
    head = "id,text,anger,disgust,fear,joy,sadness,surprise"
    rows = ["1,qué risa,0,0,0,3,0,0", "2,me da miedo,0,0,1,0,0,0", "3,pena,,0,0,0,2,1"]
    for part, size in (("esp_train", 3), ("esp_dev", 2), ("eng_train", 1)):
        text = "\n".join([head, *(rows * size)])
        (emotion / f"brighter_{part}.csv").write_text(text)
    (emotion / "xed_es.tsv").write_text('"qué pena"\t6\nno\t2, 8\nbroken\n')
    (emotion / "xed_en.tsv").write_text("no\t4\n" * 3_000)
    (emotion / "goemotions_labels.txt").write_text("joy\nneutral\n")
    (emotion / "goemotions_train.tsv").write_text("a\t0,1\tx\n" * 8_000)
    return tmp_path / "data"


def weights(trained: Network) -> list[torch.Tensor]:
    return [value.clone() for value in trained.state_dict().values()]


def test_what_nobody_looked_for_in_a_text_counts_for_nothing(
    material: Material,
) -> None:
    assert material.counts[0].tolist() == [0.5, 0.5, 0.0]
    assert material.targets[:3].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_a_network_learns_what_it_is_shown(material: Material, tmp_path: Path) -> None:
    trained, plan = network(), SMALL._replace(epochs=40, rate=3e-3)
    untouched = trained.heads.weight[2].clone()
    learn(trained, material, plan, tmp_path / "checkpoint", shown=False)
    said = read(trained, material, range(3))[:, :2] > 0
    assert said.tolist() == [[True, False], [False, True], [False, False]]
    # But for the weight decay, which draws all weights towards zero.
    assert trained.heads.weight[2].tolist() == pytest.approx(
        untouched.tolist(), abs=1e-3
    )


def test_a_killed_training_ends_with_the_weights_of_one_that_was_not(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = network()
    learn(whole, material, SMALL, tmp_path / "whole", shown=False)
    monkeypatch.setattr(spanish_network, "CHECKPOINT_S", 0.0)
    step = spanish_network._step
    killed = network()

    def dies(*given: object) -> float:
        if (tmp_path / "killed").exists():
            raise KeyboardInterrupt
        return step(*given)

    monkeypatch.setattr(spanish_network, "_step", dies)
    with pytest.raises(KeyboardInterrupt):
        learn(killed, material, SMALL, tmp_path / "killed", shown=False)
    monkeypatch.setattr(spanish_network, "_step", step)
    resumed = network()
    learn(resumed, material, SMALL, tmp_path / "killed", shown=False)
    for one, other in zip(weights(whole), weights(resumed), strict=True):
        assert torch.equal(one, other)


def test_sets_are_read_as_their_authors_publish_them(corpora: Path) -> None:
    comments = brighter_spanish(corpora)
    assert len(comments) == 15
    assert comments[2] == Example(BRIGHTER, "pena", frozenset({"sadness", "surprise"}))
    others = auxiliary(corpora)
    assert others[:2] == [
        Example(XED, "qué pena", frozenset({"sadness"})),
        Example(XED, "no", frozenset({"anticipation", "trust"})),
    ]
    assert others[-1] == Example(GOEMOTIONS, "a", frozenset({"joy", "neutral"}))


def test_each_comment_is_judged_by_a_network_that_has_not_seen_it(
    base: Path, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = auxiliary(corpora)[:5]
    monkeypatch.setattr("pipeline.training.spanish.auxiliary", lambda _: few)
    run = tmp_path / "run"
    encoder = Training(base, corpora, run, shown=False).run()
    said = np.load(run / "judged.npz")["said"]
    names = outputs(corpora)
    assert said.shape == (15, len(names))
    for fold in range(5):
        judge = load_network(run / f"fold-{fold}", names)
        comments = prepare(pieces(), brighter_spanish(corpora)[fold::5], names)
        expected = read(judge, comments, range(len(comments.ids)))
        assert said[fold::5] == pytest.approx(expected, abs=1e-5)
    heads = json.loads((encoder / "heads.json").read_text())
    assert [Output(**head) for head in heads] == names
    before = {path: path.stat().st_mtime_ns for path in run.glob("*/model.safetensors")}
    monkeypatch.setattr("sys.argv", ["it", str(base), str(corpora), str(run)])
    assert spanish.main() == 0
    assert before == {path: path.stat().st_mtime_ns for path in before}
