"""A few layers learn what the whole encoder says, and go on where they were stopped."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from tiny_training import stopped_halfway, write_base, write_data

torch = pytest.importorskip("torch")

from pipeline.training import borrowed, imitated, shallow  # noqa: E402 - needs torch
from pipeline.training.export import SHALLOW, export  # noqa: E402
from pipeline.training.imitated import chats_apart, read_texts  # noqa: E402


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Data, the whole encoder, and the same exported, with heads."""
    data, whole = write_data(tmp_path / "data", 14), write_base(tmp_path / "whole")
    random = np.random.default_rng(1)
    weight = torch.tensor(random.normal(0, 1, (2, 32)), dtype=torch.float32)
    save_file({"weight": weight, "bias": torch.zeros(2)}, whole / "heads.safetensors")
    (whole / "heads.json").write_text(json.dumps([]))
    export(whole, tmp_path / "model")
    scale = "{ outputs = [%d], slope = 1.0, bias = 0.0, threshold = 0.5 }"
    lines = ["[heads.basic-emotion.any]"]
    lines += [f"{name} = {scale % n}" for n, name in enumerate(("anger", "joy"))]
    (tmp_path / "model" / "emotions.toml").write_text("\n".join(lines))
    return {"data": data, "whole": whole, "model": tmp_path / "model"}


def run(
    folders: dict[str, Path], output: Path, monkeypatch: pytest.MonkeyPatch
) -> bytes:
    places = (folders["data"], folders["whole"], folders["model"], folders["whole"])
    command = ["shallow", *map(str, places), str(output)]
    monkeypatch.setattr("sys.argv", command)
    assert shallow.main() == 0
    assert not (output / "checkpoint.safetensors").exists()
    return (output / SHALLOW).read_bytes()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, small in (
        (shallow, "LAYERS", 1),
        (borrowed, "TOKENS", 256),
        (imitated, "APART", 5),
    ):
        monkeypatch.setattr(module, name, small)
    monkeypatch.setattr("pipeline.training.batches.TOKENS", 256)
    monkeypatch.setattr("pipeline.training.finetune.TOKENS", 256)


@pytest.mark.usefixtures("quick")
def test_the_same_data_give_the_same_layers_stopped_or_not(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = run(folders, tmp_path / "once", monkeypatch)

    with stopped_halfway(monkeypatch):
        run(folders, tmp_path / "twice", monkeypatch)
    assert (tmp_path / "twice" / "checkpoint.safetensors").exists()
    assert run(folders, tmp_path / "twice", monkeypatch) == once


@pytest.mark.usefixtures("quick")
def test_what_is_learned_is_what_the_whole_encoder_says(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(folders, tmp_path / "out", monkeypatch)
    held = load_file(tmp_path / "out" / SHALLOW)
    assert {name.split(".")[0] for name in held} == {"turn", "encoder"}
    assert {name.split(".")[2] for name in held if "layer." in name} == {"0"}
    (folders["whole"] / SHALLOW).write_bytes((tmp_path / "out" / SHALLOW).read_bytes())
    parts = export(folders["whole"], tmp_path / "with")
    assert [part.name for part in parts] == [
        "lower.onnx.gz",
        "upper.onnx.gz",
        "shallow.onnx.gz",
    ]


def test_no_text_is_learned_from_that_steps_are_judged_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imitated, "APART", 5)
    data = write_data(tmp_path)
    found = read_texts(data)
    assert len(chats_apart(data)) == 20
    assert not set(chats_apart(data)) & set(found.texts)
    assert len(found.rows) == len(found.texts) + found.labelled
    assert len(set(found.texts)) == len(found.texts)
