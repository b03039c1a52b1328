"""The graph against the published formulas of BERT, in numpy and double precision."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from safetensors.numpy import save_file
from scipy.special import erf
from tiny_training import write_tokenizer

from pipeline.tagging.encoder import unpacked
from pipeline.tagging.heads import load_outputs
from pipeline.training import export as exporting
from pipeline.training.bert_graph import Parts, Shape, Stack, build
from pipeline.training.export import SECOND, SHALLOW, SHARE, export

Weights = dict[str, Any]
WORDS, PLACES, WIDTH, WIDE, HEADS, OUTPUTS = 50, 32, 16, 32, 4, 5
SHAPE = Shape(layers=4, heads=HEADS, epsilon=1e-12)
IDS = np.array([[2, 7, 9, 3], [2, 11, 3, 0]], dtype=np.int32)


def random_weights() -> tuple[Weights, Weights]:
    random = np.random.default_rng(3)

    def some(*shape: int) -> Any:
        return random.normal(0.0, 0.3, shape).astype(np.float32)

    sizes = {
        "attention.self.query": (WIDTH, WIDTH),
        "attention.self.key": (WIDTH, WIDTH),
        "attention.self.value": (WIDTH, WIDTH),
        "attention.output.dense": (WIDTH, WIDTH),
        "intermediate.dense": (WIDE, WIDTH),
        "output.dense": (WIDTH, WIDE),
    }
    norms = ["attention.output.LayerNorm", "output.LayerNorm"]
    weights = {
        "embeddings.word_embeddings.weight": some(WORDS, WIDTH),
        "embeddings.position_embeddings.weight": some(PLACES, WIDTH),
        "embeddings.token_type_embeddings.weight": some(2, WIDTH),
        "embeddings.LayerNorm.weight": some(WIDTH),
        "embeddings.LayerNorm.bias": some(WIDTH),
    }
    for layer in range(SHAPE.layers):
        prefix = f"encoder.layer.{layer}"
        for name, size in sizes.items():
            weights[f"{prefix}.{name}.weight"] = some(*size)
            weights[f"{prefix}.{name}.bias"] = some(size[0])
        for name in norms:
            weights[f"{prefix}.{name}.weight"] = some(WIDTH)
            weights[f"{prefix}.{name}.bias"] = some(WIDTH)
    return weights, {"weight": some(OUTPUTS, WIDTH), "bias": some(OUTPUTS)}


def by_the_book(weights: Weights, ids: list[int]) -> Any:
    """What `weights` make of a text, with a map of the embeddings if they hold one."""

    def norm(x: Any, name: str) -> Any:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(x.var(axis=-1, keepdims=True) + SHAPE.epsilon)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(x: Any, name: str) -> Any:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    kinds = ("word", "position", "token_type")
    places: tuple[Any, ...] = (ids, range(len(ids)), 0)
    x = sum(
        weights[f"embeddings.{kind}_embeddings.weight"].astype(float)[place]
        for kind, place in zip(kinds, places, strict=True)
    )
    x = norm(x, "embeddings.LayerNorm")
    if "turn.weight" in weights:
        x = linear(x, "turn")
    layers = {name.split(".")[2] for name in weights if "layer." in name}
    for layer in range(len(layers)):
        at = f"encoder.layer.{layer}"
        q, k, v = (
            linear(x, f"{at}.attention.self.{name}")
            .reshape(len(ids), HEADS, -1)
            .transpose(1, 0, 2)
            for name in ("query", "key", "value")
        )
        scores = np.exp(q @ k.transpose(0, 2, 1) / np.sqrt(WIDTH // HEADS))
        seen = (scores / scores.sum(axis=-1, keepdims=True)) @ v
        seen = seen.transpose(1, 0, 2).reshape(len(ids), WIDTH)
        seen = linear(seen, f"{at}.attention.output.dense")
        x = norm(x + seen, f"{at}.attention.output.LayerNorm")
        wide = linear(x, f"{at}.intermediate.dense")
        wide = wide * (1 + erf(wide / np.sqrt(2))) / 2
        x = norm(x + linear(wide, f"{at}.output.dense"), f"{at}.output.LayerNorm")
    return x


def run(models: Sequence[Path | bytes], ids: Any = IDS) -> Any:
    """What the last of several models says, each reading what the one before said."""
    given, states = "ids", ids
    for model in models:
        held = unpacked(model) if isinstance(model, Path) else model
        session = ort.InferenceSession(held, providers=["CPUExecutionProvider"])
        (states,) = session.run(None, {given: states})
        given = "below"
    return states


@pytest.mark.parametrize("parts", [["both"], ["embeddings", "layers"]])
def test_the_layers_compute_a_bert_whole_or_cut(parts: list[Parts]) -> None:
    weights, _ = random_weights()
    graphs = [build(Stack(SHAPE, weights), part) for part in parts]
    states = run([graph.SerializeToString() for graph in graphs])
    for row, ids in enumerate(IDS.tolist()):
        assert states[row] == pytest.approx(by_the_book(weights, ids), abs=1e-4)


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    folder = tmp_path / "trained"
    folder.mkdir()
    weights, heads = random_weights()
    save_file(
        {n: w.astype(np.float16) for n, w in weights.items()},
        folder / "model.safetensors",
    )
    save_file(heads, folder / "heads.safetensors")
    config = {
        "num_hidden_layers": SHAPE.layers,
        "num_attention_heads": SHAPE.heads,
        "layer_norm_eps": SHAPE.epsilon,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "heads.json").write_text("{}")
    write_tokenizer(folder)
    return folder


def test_int8_says_nearly_the_same_and_the_same_files_each_time(
    trained: Path, tmp_path: Path
) -> None:
    whole = export(trained, tmp_path / "whole", int8=False)
    first, second = (export(trained, tmp_path / name) for name in ("a", "b"))
    for one, other, exact in zip(first, second, whole, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert one.stat().st_size < exact.stat().st_size
    assert np.corrcoef(run(first).ravel(), run(whole).ravel())[0, 1] > 0.98


def test_a_text_becomes_the_same_in_any_company(trained: Path, tmp_path: Path) -> None:
    models = export(trained, tmp_path)
    together = run(models)
    alone = [run(models, IDS[n : n + 1]) for n in range(len(IDS))]
    assert np.array_equal(together, np.concatenate(alone))


def test_the_heads_stay_what_they_are(trained: Path, tmp_path: Path) -> None:
    export(trained, tmp_path)
    _, heads = random_weights()
    kept = load_outputs(tmp_path / "emotions.npz")
    assert kept.weight == pytest.approx(heads["weight"])
    assert kept.bias == pytest.approx(heads["bias"])


def one_layer(weights: Weights) -> Weights:
    """The first layer, on a map of the embeddings."""
    few = {name: weight for name, weight in weights.items() if "layer.0." in name}
    dense = "encoder.layer.1.attention.output.dense"
    return few | {f"turn.{k}": weights[f"{dense}.{k}"] for k in ("weight", "bias")}


def test_a_second_encoder_stands_beside_the_first_and_both_are_heard(
    trained: Path, tmp_path: Path
) -> None:
    weights, heads = random_weights()
    second = one_layer(weights)
    other = {f"heads.{name}": weight[::-1].copy() for name, weight in heads.items()}
    save_file(second | other, trained / SECOND)
    states = run(export(trained, tmp_path / "out", int8=False))
    embeddings = {name: w for name, w in weights.items() if "embeddings" in name}
    kept = load_outputs(tmp_path / "out" / "emotions.npz")
    for row, ids in enumerate(IDS.tolist()):
        first = by_the_book(weights, ids)
        beside = by_the_book(embeddings | second, ids)
        both = np.concatenate([first, beside], axis=1)
        assert states[row] == pytest.approx(both, abs=1e-2)
        said, also = (
            (state @ by["weight"].T + by["bias"]).mean(axis=0)
            for state, by in (
                (first, heads),
                (beside, {name: weight[::-1] for name, weight in heads.items()}),
            )
        )
        logits = kept.logits(both.mean(axis=0).astype(np.float32))
        assert logits == pytest.approx(SHARE * said + (1 - SHARE) * also, abs=1e-2)
    small = run(export(trained, tmp_path / "small"))
    assert np.corrcoef(small.ravel(), states.ravel())[0, 1] > 0.98


def test_few_layers_stand_on_the_same_embeddings_through_a_map(
    trained: Path, tmp_path: Path
) -> None:
    weights, _ = random_weights()
    few = one_layer(weights)
    save_file(few, trained / SHALLOW)
    lower, upper, shallow = export(trained, tmp_path / "out", int8=False)
    assert [upper.name, shallow.name] == ["upper.onnx.gz", "shallow.onnx.gz"]
    few |= {name: w for name, w in weights.items() if "embeddings" in name}
    states = run([lower, shallow])
    for row, ids in enumerate(IDS.tolist()):
        assert states[row] == pytest.approx(by_the_book(few, ids), abs=1e-2)
    _, _, small = export(trained, tmp_path / "small")
    told = run([lower, small]).ravel()
    assert np.corrcoef(told, run([lower, shallow]).ravel())[0, 1] > 0.98


def test_the_command_names_the_files_and_their_sizes(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "out"
    monkeypatch.setattr("sys.argv", ["export", str(trained), str(output)])
    assert exporting.main() == 0
    assert capsys.readouterr().out.startswith(f"{output / 'lower.onnx.gz'}: ")
    models = {"lower.onnx.gz", "upper.onnx.gz", "emotions.npz"}
    names = {path.name for path in output.iterdir()}
    assert names == models | {"tokenizer.json", "heads.json"}
