"""Ship an encoder: python -m pipeline.training.export FOLDER OUTPUT.

FOLDER holds a fine-tuned BERT (model.safetensors and config.json of a transformers
BertModel), its linear heads (heads.safetensors, heads.json) and its tokenizer.json.
OUTPUT gets model.onnx, int8, tokenizer.json and heads.json. The same FOLDER gives the
same files, byte for byte, with the same release of onnxruntime.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import load_file

from pipeline.training.bert_graph import Shape, build

QUANTISED = ("MatMul", "Attention", "Gather")
HEADS = "heads.product"
"""Kept in single precision: a hundredth of the work, and all of the answer."""


def export(folder: Path, output: Path, *, int8: bool = True) -> Path:
    """Write the model and its other files into `output`; the path of the model."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = build(
        Shape(
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            epsilon=config["layer_norm_eps"],
        ),
        load_file(folder / "model.safetensors"),
        load_file(folder / "heads.safetensors"),
    )
    onnx.checker.check_model(model)
    output.mkdir(parents=True, exist_ok=True)
    path = output / "model.onnx"
    if int8:
        _quantise(model, path)
    else:
        onnx.save_model(model, path)
    for name in ("tokenizer.json", "heads.json"):
        shutil.copyfile(folder / name, output / name)
    return path


def _quantise(model: onnx.ModelProto, path: Path) -> None:
    """Weights to int8, a scale a column; 7 bits of them, for CPUs without VNNI."""
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "model.onnx"
        onnx.save_model(model, whole)
        quantize_dynamic(
            whole,
            path,
            op_types_to_quantize=list(QUANTISED),
            nodes_to_exclude=[HEADS],
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
    path = export(given.folder, given.output)
    sys.stdout.write(f"{path}: {path.stat().st_size:,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
