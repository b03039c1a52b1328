"""A second encoder learns to stand on the first one's embeddings."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_training import stopped_halfway, write_base, write_data

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402 - needs torch

from pipeline.tagging.heads import load_outputs  # noqa: E402 - needs torch
from pipeline.training import imitated, second  # noqa: E402 - needs torch
from pipeline.training.batches import load_tokenizer, tokenise  # noqa: E402
from pipeline.training.borrowed import Bert, Borrowed, tensors, turn  # noqa: E402
from pipeline.training.export import SECOND, export  # noqa: E402
from pipeline.training.second import Model  # noqa: E402

OUTPUTS = 3


def write_start(folder: Path, seed: int) -> Path:
    """A tiny encoder with heads, unlike that of another seed."""
    write_base(folder)
    random = np.random.default_rng(seed)
    weights = {
        name: weight + torch.tensor(random.normal(0, 0.1, weight.shape)).to(weight)
        for name, weight in load_file(folder / "model.safetensors").items()
    }
    save_file(weights, folder / "model.safetensors")
    weight = torch.tensor(random.normal(0, 1, (OUTPUTS, 32)), dtype=torch.float32)
    heads = {"weight": weight, "bias": torch.zeros(OUTPUTS)}
    save_file(heads, folder / "heads.safetensors")
    names = [{"task": "basic-emotion", "label": str(n)} for n in range(OUTPUTS)]
    (folder / "heads.json").write_text(json.dumps(names))
    return folder


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Data, and two encoders with heads."""
    return {
        "data": write_data(tmp_path / "data", 14),
        "whole": write_start(tmp_path / "whole", 1),
        "start": write_start(tmp_path / "start", 2),
    }


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imitated, "APART", 5)
    for module in ("borrowed", "batches", "finetune"):
        monkeypatch.setattr(f"pipeline.training.{module}.TOKENS", 256)


def run(
    folders: dict[str, Path], output: Path, monkeypatch: pytest.MonkeyPatch
) -> bytes:
    command = ["second", *map(str, folders.values()), str(output)]
    monkeypatch.setattr("sys.argv", command)
    assert second.main() == 0
    assert not (output / "checkpoint.safetensors").exists()
    return (output / SECOND).read_bytes()


def off(network: Borrowed, folders: dict[str, Path]) -> float:
    """How unlike its own outputs are to those of what it imitates."""
    start = Bert.load(folders["start"], second.LAYERS)
    model = Model.load(folders["start"], start)
    texts = imitated.read_texts(folders["data"]).texts
    found = tokenise(load_tokenizer(folders["whole"]), texts)
    given = tuple(tensors(found, np.arange(len(texts))))
    with torch.no_grad():
        return float(model.loss(network.pooled(*given), model.pooled(*given)))


def begun(folders: dict[str, Path]) -> Borrowed:
    """The second encoder's layers on the first one's embeddings, untrained."""
    whole, start = (Bert.load(folders[n], second.LAYERS) for n in ("whole", "start"))
    network = Borrowed(whole.model().embeddings, start.model().encoder, 32).eval()
    texts = imitated.read_texts(folders["data"]).texts
    found = tokenise(load_tokenizer(folders["whole"]), texts)
    turn(network, whole, start, found)
    return network


def test_it_comes_to_say_what_it_said_on_its_own_embeddings(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second, "RATE", 1e-3)
    before = begun(folders)
    run(folders, tmp_path / "out", monkeypatch)
    after = begun(folders)
    held = load_file(tmp_path / "out" / SECOND)
    layers = {name: w for name, w in held.items() if not name.startswith("heads.")}
    after.load_state_dict(layers, strict=False)
    assert off(after, folders) < 0.95 * off(before, folders)


def test_a_training_that_was_stopped_ends_with_the_same_weights(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = run(folders, tmp_path / "once", monkeypatch)

    with stopped_halfway(monkeypatch):
        run(folders, tmp_path / "twice", monkeypatch)
    assert (tmp_path / "twice" / "checkpoint.safetensors").exists()
    assert run(folders, tmp_path / "twice", monkeypatch) == once


def test_what_it_writes_is_exported_with_its_heads(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = run(folders, tmp_path / "out", monkeypatch)
    (folders["whole"] / SECOND).write_bytes(written)
    export(folders["whole"], tmp_path / "model")
    assert load_outputs(tmp_path / "model" / "emotions.npz").weight.shape == (3, 64)


def test_encoders_for_other_labels_are_refused(
    folders: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folders["start"] / "heads.json").write_text("[]")
    command = ["second", *map(str, folders.values()), str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", command)
    assert second.main() == 1
    said = capsys.readouterr().err
    assert "speak for other labels" in said
    assert str(folders["start"]) in said
