"""Ship an encoder: python -m pipeline.training.export FOLDER OUTPUT.

FOLDER holds a fine-tuned BERT (model.safetensors and config.json of a transformers
BertModel), its linear heads (heads.safetensors, heads.json) and its tokenizer.json;
perhaps second.safetensors of `pipeline.training.second` and shallow.safetensors of
`pipeline.training.shallow`, too. OUTPUT gets the embeddings, lower.onnx.gz; the layers,
upper.onnx.gz; and those that foretell what the others say, shallow.onnx.gz, all int8;
emotions.npz, the heads; heads.json and tokenizer.json. What words had a say there
(`pipeline.training.word_heads`) goes. The same FOLDER gives the same files, byte for
byte.
"""

import argparse
import gzip
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from pipeline.tagging.encoder import PACKED
from pipeline.tagging.word_heads import FILE as WORDS
from pipeline.training.bert_graph import Array, Shape, Stack, build, products
from pipeline.training.rounding import Range, ranges

SHALLOW, SECOND = "shallow.safetensors", "second.safetensors"
SHARE = 0.55
"""What the first of two encoders counts."""

_EMBEDDINGS, _LAYER = "embeddings.", "encoder.layer."


def export(folder: Path, output: Path, *, int8: bool = True) -> list[Path]:
    """Write the models and their other files into `output`; the paths of the models."""
    output.mkdir(parents=True, exist_ok=True)
    models = []
    for name, model in _models(folder, int8=int8):
        onnx.checker.check_model(model)
        models.append(output / f"{name}{PACKED}")
        models[-1].write_bytes(packed(model))
    (output / WORDS).unlink(missing_ok=True)
    weight, bias = _heads(folder)
    np.savez(output / "emotions.npz", weight=weight, bias=bias)
    for name in ("tokenizer.json", "heads.json"):
        shutil.copyfile(folder / name, output / name)
    return models


def packed(model: onnx.ModelProto) -> bytes:
    """A model as `pipeline.tagging.encoder` reads it."""
    return gzip.compress(model.SerializeToString(deterministic=True), mtime=0)


def _models(folder: Path, *, int8: bool) -> Iterator[tuple[str, onnx.ModelProto]]:
    """The parts of the encoder."""
    stack, second = _stack(folder, load_file(folder / "model.safetensors")), None
    if (folder / SECOND).is_file():
        second = _stack(folder, load_file(folder / SECOND))
    found = _ranges(folder, stack, second) if int8 else None
    yield "lower", build(stack, "embeddings", found)
    yield "upper", build(stack, "layers", found, second)
    if (folder / SHALLOW).is_file():
        layers = load_file(folder / SHALLOW)
        few = _stack(folder, {**_embeddings(stack.weights), **layers})
        found = _ranges(folder, few, None) if int8 else None
        yield "shallow", build(few, "layers", found)


def _heads(folder: Path) -> tuple[Array, Array]:
    """Of one encoder, or of two side by side: then what both say counts.

    What the few layers say counts nothing before `pipeline.training.few_heads`.
    """
    heads = load_file(folder / "heads.safetensors")
    weight, bias = heads["weight"], heads["bias"]
    width = weight.shape[1]
    if (folder / SECOND).is_file():
        other = load_file(folder / SECOND)
        parts = SHARE * weight, (1 - SHARE) * other["heads.weight"]
        weight = np.concatenate(parts, axis=1)
        bias = SHARE * bias + (1 - SHARE) * other["heads.bias"]
    if (folder / SHALLOW).is_file():
        weight = np.pad(weight, ((0, 0), (0, width)))
    return weight, bias


def _embeddings(weights: Mapping[str, Array]) -> dict[str, Array]:
    return {name: w for name, w in weights.items() if name.startswith(_EMBEDDINGS)}


def _stack(folder: Path, weights: Mapping[str, Array]) -> Stack:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    layers = {
        name.removeprefix(_LAYER).partition(".")[0]
        for name in weights
        if name.startswith(_LAYER)
    }
    heads, epsilon = config["num_attention_heads"], config["layer_norm_eps"]
    return Stack(Shape(len(layers), heads, epsilon), weights)


def _ranges(folder: Path, stack: Stack, second: Stack | None) -> dict[str, Range]:
    """Where numbers lie that enter the products."""
    frame = Tokenizer.from_file(str(folder / "tokenizer.json")).encode("").ids
    vocabulary = len(stack.weights["embeddings.word_embeddings.weight"])
    whole = build(stack, "both", second=second)
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
