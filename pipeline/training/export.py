"""Ship an encoder: python -m pipeline.training.export FOLDER OUTPUT.

FOLDER holds a fine-tuned BERT (model.safetensors and config.json of a transformers
BertModel), its linear heads (heads.safetensors, heads.json) and its tokenizer.json.
OUTPUT gets lower.onnx, the embeddings and first layers, and upper.onnx, all others,
both int8; emotions.npz, the heads; heads.json and tokenizer.json. The same FOLDER gives
the same files, byte for byte.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from pipeline.training.bert_graph import Array, Shape, build, products
from pipeline.training.rounding import Range, ranges

LOWER = 3
"""Layers of lower.onnx: as many as tell most clear texts from the others."""


def export(folder: Path, output: Path, *, int8: bool = True) -> list[Path]:
    """Write the models and their other files into `output`; the paths of the models."""
    output.mkdir(parents=True, exist_ok=True)
    models = []
    for name, model in _models(folder, int8=int8):
        onnx.checker.check_model(model)
        models.append(output / name)
        onnx.save_model(model, models[-1])
    heads = load_file(folder / "heads.safetensors")
    np.savez(output / "emotions.npz", weight=heads["weight"], bias=heads["bias"])
    for name in ("tokenizer.json", "heads.json"):
        shutil.copyfile(folder / name, output / name)
    return models


def _models(folder: Path, *, int8: bool) -> Iterator[tuple[str, onnx.ModelProto]]:
    """Both parts of the encoder, or the only one of few layers."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    shape = Shape(
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        epsilon=config["layer_norm_eps"],
    )
    weights = load_file(folder / "model.safetensors")
    found = _ranges(folder, shape, weights) if int8 else None
    cut = min(LOWER, shape.layers)
    yield "lower.onnx", build(shape, weights, range(cut), found)
    if cut < shape.layers:
        yield "upper.onnx", build(shape, weights, range(cut, shape.layers), found)


def _ranges(
    folder: Path, shape: Shape, weights: Mapping[str, Array]
) -> dict[str, Range]:
    """Where numbers lie that enter the products of the whole encoder."""
    frame = Tokenizer.from_file(str(folder / "tokenizer.json")).encode("").ids
    vocabulary = len(weights["embeddings.word_embeddings.weight"])
    whole = build(shape, weights, range(shape.layers))
    return ranges(whole, products(whole), vocabulary, frame)


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
