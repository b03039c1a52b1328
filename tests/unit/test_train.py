"""A whole training, of a BERT so small that it takes seconds."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import load_file
from structlog.testing import capture_logs
from tiny_training import write_base, write_data

from pipeline.errors import InputError
from pipeline.jobs.train import render, train
from pipeline.tagging.encoder import Encoder
from pipeline.tagging.heads import load_heads, load_outputs
from pipeline.training import batches, finetune, student, teacher
from pipeline.training.batches import load_tokenizer, tokenise
from pipeline.training.corpora import Output
from pipeline.training.finetune import Lessons, Plan, Training, slope, train_network
from pipeline.training.network import load_network, outputs_of, read_texts
from pipeline.training.soft_labels import read_soft_labels
from pipeline.training.targets import HardTargets

OUTPUTS = [Output("t", "angry"), Output("t", "happy")]
TEXTS = ["so angry and furious", "great news i am so happy", "takes a list"] * 40
LABELS = np.tile(np.array([[1, 0], [0, 1], [0, 0]], np.float32), (40, 1))
QUICK = Plan(epochs=30, rate=1e-3, tokens=1_024)
THOROUGH = Plan(epochs=120, rate=2e-3, tokens=1_024)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums are the same from run to run on the same number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


def lessons() -> Lessons:
    rows = np.arange(len(TEXTS))
    return Lessons(OUTPUTS, TEXTS, rows, HardTargets(LABELS))


def learn(
    base: Path, folder: Path, seed: int = 1, plan: Plan = QUICK
) -> dict[str, torch.Tensor]:
    training = Training("test", base, folder, seed, shown=False)
    train_network(training, lessons(), plan)
    return load_file(folder / "model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_a_network_learns_what_it_is_taught(base: Path, tmp_path: Path) -> None:
    with capture_logs() as lines:
        learn(base, tmp_path, plan=THOROUGH)
    assert lines[-1]["loss"] < 0.2
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "config.json",
        "heads.json",
        "heads.safetensors",
        "model.safetensors",
        "tokenizer.json",
    ]
    network = load_network(tmp_path, outputs_of(tmp_path))
    said = read_texts(network, tokenise(load_tokenizer(tmp_path), TEXTS[:3]))
    assert ((said > 0) == (LABELS[:3] > 0)).all()


def test_the_same_seed_gives_the_same_weights_and_another_others(
    base: Path, tmp_path: Path
) -> None:
    first = learn(base, tmp_path / "first")
    assert same(first, learn(base, tmp_path / "again"))
    assert not same(first, learn(base, tmp_path / "other", seed=2))


KILLED = """
import sys
from pathlib import Path
import torch
import test_train
from pipeline.training import finetune
torch.set_num_threads(1)
finetune.CHECKPOINT_S = 0.0
test_train.learn(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_training_that_was_killed_goes_on_and_ends_with_the_same_weights(
    base: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", KILLED, str(base), str(tmp_path / "killed")]
    path = os.pathsep.join(sys.path)
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path})
    checkpoint = tmp_path / "killed" / "checkpoint.safetensors"
    while not checkpoint.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    with capture_logs() as lines:
        resumed = learn(base, tmp_path / "killed")
    assert 1 <= lines[0]["done"] < lines[0]["total"]
    assert not checkpoint.exists()
    assert same(resumed, learn(base, tmp_path / "whole"))


def test_a_full_disk_is_one_sentence_and_the_training_goes_on_later(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finetune, "CHECKPOINT_S", 0.0)
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
    try:
        with pytest.raises(InputError, match=r"cannot be written .* make room"):
            learn(base, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    monkeypatch.setattr(finetune, "CHECKPOINT_S", 60.0)
    learn(base, tmp_path)


def test_the_learning_rate_rises_then_falls_to_nothing() -> None:
    rates = [slope(step, 100) for step in range(100)]
    assert max(rates) == rates[5] == 1.0
    assert rates[:6] == sorted(rates[:6])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert 0 < rates[-1] < 0.02
    assert slope(0, 1) == 1.0


def test_a_base_that_has_heads_keeps_those_that_are_asked_for(
    base: Path, tmp_path: Path
) -> None:
    learn(base, tmp_path)
    held = load_file(tmp_path / "heads.safetensors")
    wanted = [Output("t", "new"), OUTPUTS[1]]
    network = load_network(tmp_path, wanted)
    assert torch.equal(network.heads.weight[1], held["weight"][1])
    assert not torch.equal(network.heads.weight[0], held["weight"][0])


@pytest.fixture(scope="module")
def trained(base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outcome of all stages."""
    output = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        for module in (teacher, student):
            patch.setattr(module, "EPOCHS", 10)
            patch.setattr(module, "TOKENS", 512)
        patch.setattr(batches, "TOKENS", 512)
        patch.setattr(teacher, "RATE", 2e-3)
        patch.setattr(student, "RATE_OF_SHALLOW", 2e-3)
        patch.setattr(finetune, "HEADS_RATE", 1e-2)
        train(output, "all", show_progress=False, data=data, base=base)
    return output


def test_the_student_knows_what_the_held_out_texts_say(
    trained: Path, base: Path, data: Path
) -> None:
    found = train(trained, "export", show_progress=False, data=data, base=base)
    figures = {each.task: each for each in found}
    assert figures["basic-emotion on GitHub"].texts == 18
    assert figures["basic-emotion on GitHub"].micro_f1_at_half > 0.8
    assert figures["basic-emotion on Stack Overflow"].micro_f1 > 0.8
    assert figures["fine-emotion"].texts == 90
    lines = render(found).splitlines()
    assert lines[0].split() == ["texts", "micro", "macro", "ECE"]
    assert lines[1].startswith("github: basic-emotion on GitHub, 6")


def test_what_is_exported_says_what_torch_does(trained: Path) -> None:
    model, texts = trained / "model", TEXTS[:3]
    encoder, outputs = Encoder(model, 1), load_outputs(model / "emotions.npz")
    said = np.array([outputs.logits(encoder.read(text).pooled) for text in texts])
    folder = trained / "student"
    network = load_network(folder, outputs_of(folder))
    exact = read_texts(network, tokenise(load_tokenizer(folder), texts))
    assert said == pytest.approx(exact, abs=0.5)  # int8
    assert np.corrcoef(said.ravel(), exact.ravel())[0, 1] > 0.99


def test_the_tagger_can_read_the_scales(trained: Path) -> None:
    model = trained / "model"
    angry = Encoder(model, 1).read("github: this awful build makes me furious").pooled
    heads = load_heads(model, "github")
    scores = dict(zip(heads.keys, heads.scores(angry), strict=True))
    emotions = {key: score for key, score in scores.items() if "basic" in key[0]}
    assert max(emotions, key=emotions.__getitem__) == ("basic-emotion", "anger")
    assert ("marker", "stress") in scores


def test_soft_labels_stand_for_the_labelled_texts_and_the_chats(trained: Path) -> None:
    soft = read_soft_labels(trained / "soft-labels")
    assert {name.split("/")[0] for name in soft.names if "/" in name} == {
        *("github", "stackoverflow", "jira", "dreaddit"),
        *("incivility", "xed", "goemotions", "brighter"),
    }
    assert "ubuntu_irc-3" in soft.names
    assert soft.scores.max() > 128 > soft.scores.min()


def test_the_card_names_all_data_with_their_terms(trained: Path) -> None:
    card = (trained / "model" / "README.md").read_text()
    assert (
        "| Dreaddit (stress), Turcan and McKeown 2019 | offered for research |" in card
    )
    assert "| GoEmotions, Demszky et al. 2020 | CC BY 4.0 / Apache-2.0 | 90 |" in card
    assert "| Ubuntu IRC, no labels | public domain, CC BY 4.0 | 45 |" in card
    assert "Left out: nothing." in card
    assert "| github | basic-emotion on GitHub, 6 | 18 | " in card


def test_what_is_done_is_not_done_again(trained: Path, base: Path, data: Path) -> None:
    def times() -> dict[Path, int]:
        return {p: p.stat().st_mtime_ns for p in trained.rglob("*") if p.is_file()}

    before = times()
    train(trained, "all", show_progress=False, data=data, base=base)
    assert {path for path, at in times().items() if at != before.get(path)} == set()


def test_other_options_need_another_folder(
    trained: Path, base: Path, data: Path
) -> None:
    with pytest.raises(InputError, match="with other options"):
        train(trained, "all", show_progress=False, data=data, base=base, seed=2)


def ready(trained: Path, folder: Path) -> Path:
    """Ready soft labels in the form in which they are given."""
    import lzma  # noqa: PLC0415 - here alone

    soft = read_soft_labels(trained / "soft-labels")
    scores: npt.NDArray[np.uint8] = np.array(soft.scores.T)
    folder.mkdir()
    (folder / "soft_labels.u8.xz").write_bytes(lzma.compress(scores.tobytes()))
    names = "\n".join(soft.names).encode()
    (folder / "soft_label_ids.txt.xz").write_bytes(lzma.compress(names))
    heads = json.dumps([output._asdict() for output in soft.outputs])
    (folder / "heads.json").write_text(heads)
    return folder


def test_ready_soft_labels_and_a_selection_of_clean_sets_need_no_teachers(
    trained: Path,
    base: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(student, "EPOCHS", 1)
    output = tmp_path / "clean"
    figures = train(
        output,
        "all",
        show_progress=False,
        data=data,
        base=base,
        soft_labels=ready(trained, tmp_path / "ready"),
        without=("github", "dreaddit", "jira", "slack_dev_chat"),
        subset=100,
    )
    assert not (output / "teachers").exists()
    assert {each.set for each in figures}.isdisjoint({"github", "dreaddit", "jira"})
    heads = load_heads(output / "model", "github")
    assert ("basic-emotion", "anger") in heads.keys
    assert ("marker", "stress") not in heads.keys
    card = (output / "model" / "README.md").read_text()
    assert "Left out: GitHub emotions" in card
    assert "made elsewhere" in card


@pytest.mark.parametrize(
    ("stage", "missing"), [("soft-labels", "teachers"), ("export", "student")]
)
def test_a_stage_says_which_one_must_come_first(
    stage: str, missing: str, base: Path, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=f"run --stage {missing}"):
        train(tmp_path, stage, show_progress=False, data=data, base=base)  # type: ignore[arg-type]


def test_weights_that_are_none_are_refused(
    base: Path, data: Path, tmp_path: Path
) -> None:
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((base / name).read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"none")
    with pytest.raises(InputError, match="holds no weights"):
        train(tmp_path / "o", "all", show_progress=False, data=data, base=tmp_path)
