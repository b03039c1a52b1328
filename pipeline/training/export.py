"""Ship an encoder: python -m pipeline.training.export FOLDER OUTPUT.

FOLDER holds a fine-tuned BERT (model.safetensors and config.json of a transformers
BertModel), its linear heads (heads.safetensors, heads.json) and its tokenizer.json;
perhaps shallow.safetensors of `pipeline.training.shallow`, too.
OUTPUT gets lower.onnx, the embeddings, upper.onnx, the layers, and shallow.onnx, those
that foretell what the others say, all int8; emotions.npz, the heads; heads.json and
tokenizer.json. The same FOLDER gives the same files, byte for byte.
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

SHALLOW = "shallow.safetensors"
_EMBEDDINGS, _LAYER = "embeddings.", "encoder.layer."


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
    """The parts of the encoder."""
    weights = load_file(folder / "model.safetensors")
    shape = _shape(folder, weights)
    found = _ranges(folder, shape, weights) if int8 else None
    yield "lower.onnx", build(shape, weights, "embeddings", found)
    yield "upper.onnx", build(shape, weights, "layers", found)
    if (folder / SHALLOW).is_file():
        embeddings = {k: w for k, w in weights.items() if k.startswith(_EMBEDDINGS)}
        weights = embeddings | load_file(folder / SHALLOW)
        shape = _shape(folder, weights)
        found = _ranges(folder, shape, weights) if int8 else None
        yield "shallow.onnx", build(shape, weights, "layers", found)


def _shape(folder: Path, weights: Mapping[str, Array]) -> Shape:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    layers = {
        name.removeprefix(_LAYER).partition(".")[0]
        for name in weights
        if name.startswith(_LAYER)
    }
    return Shape(len(layers), config["num_attention_heads"], config["layer_norm_eps"])


def _ranges(
    folder: Path, shape: Shape, weights: Mapping[str, Array]
) -> dict[str, Range]:
    """Where numbers lie that enter the products."""
    frame = Tokenizer.from_file(str(folder / "tokenizer.json")).encode("").ids
    vocabulary = len(weights["embeddings.word_embeddings.weight"])
    whole = build(shape, weights, "both")
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
