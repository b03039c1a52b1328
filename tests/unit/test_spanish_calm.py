import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

from pipeline.training.corpora import Output
from pipeline.training.markers_texts import CHATS
from pipeline.training.network import Network, save_network
from pipeline.training.spanish_base import FRAME, tokenizer
from pipeline.training.spanish_calm import (
    ALWAYS,
    Material,
    chats,
    fit_calm,
    material,
    sentences,
    states,
)
from pipeline.training.spanish_corpora import BRIGHTER
from pipeline.training.spanish_heads import LABELS

WIDTH = 12
SPANISH = "¿alguien sabe cómo se instala esto?"
PIECES = ("▁", "▁qué", "▁pena", "▁nada")


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    for name in ("emotion", "streams"):
        (tmp_path / name).mkdir()
    rows = [f"id,text,{','.join(LABELS)}", "1,no tengo miedo,0,0,0,0,0,0"]
    rows += [f"{n},qué rabia {n},2,0,0,0,0,0" for n in range(6)]
    (tmp_path / "emotion" / "brighter_esp_train.csv").write_text("\n".join(rows))
    (tmp_path / "emotion" / "brighter_esp_dev.csv").write_text("\n".join(rows[:2]))
    said = [SPANISH, SPANISH, "does anybody know what this does?", "sí, señor"]
    for name in CHATS:
        with gzip.open(tmp_path / "streams" / f"{name}.jsonl.gz", "wt") as file:
            file.write("\n".join(json.dumps({"text": text}) for text in said))
    return tmp_path


def test_sentences_are_all_different_and_have_known_labels() -> None:
    written = sentences()
    assert len({example.text for example in written}) == len(written)
    assert {label for example in written for label in example.labels} == set(LABELS)
    assert sum(not example.labels for example in written) >= 300
    assert sum(bool(example.labels) for example in written) >= 60


def test_of_chats_only_spanish_messages_are_taken_and_once(corpora: Path) -> None:
    assert chats(corpora) == [SPANISH]


def test_comments_come_first_and_chats_are_never_left_out(corpora: Path) -> None:
    held = material(corpora)
    assert held.texts[0] == "no tengo      "
    assert held.texts[-1] == SPANISH
    assert held.fold[[0, 1, -1]].tolist() == [0, 1, ALWAYS]
    assert held.labels[1] == {"anger"}
    assert held.counts[-1] < held.counts[0] < held.counts[8]
    first = held.where(held.fold == 0)
    assert len(first.texts) == len(first.labels) == len(first.counts)
    assert set(first.fold) == {0}


def test_states_are_the_means_that_the_heads_see(tmp_path: Path) -> None:
    torch.manual_seed(1)
    listed = [*FRAME, *PIECES]
    shape = BertConfig(
        vocab_size=len(listed),
        hidden_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=192,
    )
    base = tmp_path / "base"
    BertModel(shape, add_pooling_layer=False).save_pretrained(base)
    scores = [0.0] * len(FRAME) + [-3.0] * len(PIECES)
    tokenizer(listed, scores).save(str(base / "tokenizer.json"))
    names = [Output(BRIGHTER, "joy")]
    network = Network(BertModel.from_pretrained(base, add_pooling_layer=False), 1)
    save_network(network, names, tmp_path / "run", base)
    texts = ["qué pena", "qué", "nada pena nada"]
    said = states(tmp_path / "run", names, texts)
    assert said.shape == (len(texts), WIDTH)
    pieces = Tokenizer.from_file(str(base / "tokenizer.json"))
    ids = torch.tensor([pieces.encode(texts[2]).ids])
    with torch.inference_mode():
        mean = network.encoder.eval()(input_ids=ids)[0][0].mean(dim=0)
    assert said[2] == pytest.approx(mean.tolist(), abs=1e-5)


@pytest.mark.parametrize("speaks", ["states", "spelling"])
def test_calm_texts_are_told_by_states_and_by_spelling(speaks: str) -> None:
    random = np.random.default_rng(1)
    felt = np.arange(80) % 2 == 0
    texts = ["qué rabia" if yes and speaks == "spelling" else "el nodo" for yes in felt]
    pooled = random.normal(size=(80, 3))
    if speaks == "states":
        pooled[:, 1] += 8 * felt
    labels = [frozenset({"anger"} if yes else ()) for yes in felt]
    held = Material(texts, labels, np.ones(80), np.zeros(80, np.int64))
    calm = fit_calm(pooled, held)
    assert ((calm.felt(pooled, texts) > 0) == felt).all()


def test_few_calm_texts_count_as_much_as_many_others() -> None:
    labels = [frozenset({"anger"})] * 90 + [frozenset[str]()] * 10
    held = Material(["nada"] * 100, labels, np.ones(100), np.zeros(100, np.int64))
    said = fit_calm(np.random.default_rng(1).normal(size=(100, 2)) * 1e-3, held)
    assert said.felt(np.zeros((1, 2)), ["nada"]) == pytest.approx(0, abs=0.3)
