"""Ship an encoder: python -m pipeline.training.export FOLDER OUTPUT.

FOLDER holds a fine-tuned BERT (model.safetensors and config.json of a transformers
BertModel), its linear heads (heads.safetensors, heads.json) and its tokenizer.json.
OUTPUT gets lower.onnx, the embeddings and first layers, and upper.onnx, all others,
both int8; emotions.npz, the heads; heads.json and tokenizer.json. The same FOLDER gives
the same files, byte for byte, with the same release of onnxruntime.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import load_file

from pipeline.training.bert_graph import Shape, build

QUANTISED = ("MatMul", "Attention", "Gather")
LOWER = 3
"""Layers of lower.onnx: as many as tell most clear texts from the others."""


def export(folder: Path, output: Path, *, int8: bool = True) -> list[Path]:
    """Write the models and their other files into `output`; the paths of the models."""
    output.mkdir(parents=True, exist_ok=True)
    models = []
    for name, model in _models(folder):
        onnx.checker.check_model(model)
        models.append(output / name)
        if int8:
            _quantise(model, models[-1])
        else:
            onnx.save_model(model, models[-1])
    heads = load_file(folder / "heads.safetensors")
    np.savez(output / "emotions.npz", weight=heads["weight"], bias=heads["bias"])
    for name in ("tokenizer.json", "heads.json"):
        shutil.copyfile(folder / name, output / name)
    return models


def _models(folder: Path) -> Iterator[tuple[str, onnx.ModelProto]]:
    """Both parts of the encoder, or the only one of few layers."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    shape = Shape(
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        epsilon=config["layer_norm_eps"],
    )
    weights = load_file(folder / "model.safetensors")
    cut = min(LOWER, shape.layers)
    yield "lower.onnx", build(shape, weights, range(cut))
    if cut < shape.layers:
        yield "upper.onnx", build(shape, weights, range(cut, shape.layers))


def _quantise(model: onnx.ModelProto, path: Path) -> None:
    """Weights to int8, a scale a column; 7 bits of them, for CPUs without VNNI."""
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "model.onnx"
        onnx.save_model(model, whole)
        quantize_dynamic(
            whole,
            path,
            op_types_to_quantize=list(QUANTISED),
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )


def main() -> int:
    """Export what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    for path in export(given.folder, given.output):
        sys.stdout.write(f"{path}: {path.stat().st_size:,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
