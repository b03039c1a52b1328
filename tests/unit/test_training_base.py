import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from pipeline.errors import InputError
from pipeline.training import base
from pipeline.training.base import unpack

RANDOM = np.random.default_rng(0)
WIDTH, WIDE, WORDS, PLACES = 64, 128, 20, 16


def some(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return RANDOM.normal(size=shape).astype(np.float32)


QUERY = some(WIDTH, WIDTH)
NAMED = {
    "embeddings.word_embeddings.weight": some(WORDS, WIDTH),
    "embeddings.position_embeddings.weight": some(PLACES, WIDTH),
    "encoder.layer.0.attention.self.query.bias": some(WIDTH),
    "encoder.layer.0.intermediate.dense.bias": some(WIDE),
    "encoder.layer.1.intermediate.dense.bias": some(WIDE),
}


def write_jar(path: Path) -> Path:
    """As exporters write it: matrices turned, without a name of their own."""
    weights = [numpy_helper.from_array(w, name) for name, w in NAMED.items()]
    weights.append(numpy_helper.from_array(QUERY.T.copy(), "onnx::MatMul_7"))
    nodes = [
        helper.make_node(
            "MatMul",
            ["x", "onnx::MatMul_7"],
            ["y"],
            name="/encoder/layer.0/attention/self/query/MatMul",
        ),
        helper.make_node("MatMul", ["y", "x"], ["z"], name="/encoder/layer.0/MatMul"),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, WIDTH])
        for name in ("x", "z")
    ]
    graph = helper.make_graph(nodes, "bert", ends[:1], ends[1:], weights)
    with zipfile.ZipFile(path, "w") as jar:
        jar.writestr("some/Model.class", "")
        jar.writestr("some.onnx", helper.make_model(graph).SerializeToString())
        jar.writestr("some-tokenizer.json", "{}")
    return path


def test_a_jar_becomes_the_folder_that_training_begins_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jar, folder = write_jar(tmp_path / "some.jar"), tmp_path / "base"
    monkeypatch.setattr("sys.argv", ["base", str(jar), str(folder)])
    assert base.main() == 0
    weights = load_file(folder / "model.safetensors")
    assert (weights["encoder.layer.0.attention.self.query.weight"] == QUERY).all()
    assert set(weights) == {*NAMED, "encoder.layer.0.attention.self.query.weight"}
    config = json.loads((folder / "config.json").read_text())
    assert config["num_hidden_layers"] == config["num_attention_heads"] == 2
    assert (config["hidden_size"], config["intermediate_size"]) == (WIDTH, WIDE)
    assert (config["vocab_size"], config["max_position_embeddings"]) == (WORDS, PLACES)
    assert (folder / "tokenizer.json").read_text() == "{}"


@pytest.mark.parametrize("content", [None, b"no zip"])
def test_what_is_no_such_jar_is_refused(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    jar = tmp_path / "some.jar"
    if content:
        jar.write_bytes(content)
    with pytest.raises(InputError, match="holds no encoder and tokenizer"):
        unpack(jar, tmp_path / "base")
    with zipfile.ZipFile(jar, "w"):
        pass
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["base", str(jar), str(tmp_path / "base")])
        assert base.main() == 1
    assert "fetch it as docs/training.md says" in capsys.readouterr().err
