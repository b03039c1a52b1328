"""`groundswell train` says in one sentence what it lacks, before it does any work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_training import write_data, write_tokenizer


def train(
    *arguments: object, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.cli", "train", *map(str, arguments)]
    environ = os.environ | ({"PYTHONPATH": str(path)} if path else {})
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environ, timeout=120
    )


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    write_tokenizer(folder)
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_text("{}")
    return folder


def test_each_folder_that_is_missing_is_named(base: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", 7)
    output = ("--output", tmp_path / "out")
    no_data = train("--data", tmp_path / "no", "--base", base, *output)
    assert no_data.returncode == 1
    assert f"{tmp_path / 'no'} is no folder" in no_data.stderr
    no_base = train("--data", data, "--base", data, *output)
    assert f"{data / 'model.safetensors'} is not there" in no_base.stderr
    no_set = train("--data", data, "--base", base, *output, "--without", "twitter")
    assert "no set twitter to leave out: choose from github" in no_set.stderr
    for said in (no_data, no_base, no_set):
        assert said.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    base: Path, tmp_path: Path
) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "torch.py").write_text("raise ModuleNotFoundError(name='torch')\n")
    data = write_data(tmp_path / "data", 7)
    output = tmp_path / "out"
    said = train("--data", data, "--base", base, "--output", output, path=hidden)
    assert said.returncode == 1
    assert (
        "needs the package torch: run pip install 'groundswell[train]'" in said.stderr
    )
