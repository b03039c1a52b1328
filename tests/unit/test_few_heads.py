"""What a few layers foretell counts beside what the others say."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_training import write_base, write_data

torch = pytest.importorskip("torch")

from safetensors.torch import load_file, save_file  # noqa: E402 - needs torch

from pipeline.tagging.encoder import Encoder  # noqa: E402
from pipeline.tagging.heads import load_outputs  # noqa: E402
from pipeline.training import few_heads  # noqa: E402
from pipeline.training.corpora import read_sets  # noqa: E402
from pipeline.training.export import SHALLOW, export  # noqa: E402
from pipeline.training.few_heads import SHARE  # noqa: E402
from pipeline.training.imitated import read_states  # noqa: E402

WIDTH = 32


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers, heads that know nothing, and the first layer once more beside."""
    folder = write_base(tmp_path_factory.mktemp("whole"))
    outputs = [output for one in read_sets(data, ()) for output in one.outputs]
    weight = torch.randn(len(outputs), WIDTH, generator=torch.manual_seed(1)) / 100
    heads = {"weight": weight, "bias": torch.zeros(len(outputs))}
    save_file(heads, folder / "heads.safetensors")
    named = [output._asdict() for output in outputs]
    (folder / "heads.json").write_text(json.dumps(named))
    first = {
        name: held.clone()
        for name, held in load_file(folder / "model.safetensors").items()
        if name.startswith("encoder.layer.0.")
    }
    through = {"turn.weight": torch.eye(WIDTH), "turn.bias": torch.zeros(WIDTH)}
    save_file(first | through, folder / SHALLOW)
    return folder


def run(monkeypatch: pytest.MonkeyPatch, data: Path, model: Path) -> int:
    monkeypatch.setattr("sys.argv", ["few_heads", str(data), str(model)])
    return few_heads.main()


def rows(data: Path, wanted: str) -> list[int]:
    """The places of a task's outputs among all."""
    outputs = [output for one in read_sets(data, ()) for output in one.outputs]
    return [n for n, output in enumerate(outputs) if output.task == wanted]


def test_few_layers_say_what_people_say_of_texts_that_nobody_showed_them(
    data: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(whole, tmp_path)
    before = load_outputs(tmp_path / "emotions.npz")
    assert before.weight.shape[1] == 2 * WIDTH
    assert not before.weight[:, WIDTH:].any()
    assert run(monkeypatch, data, tmp_path) == 0
    after = load_outputs(tmp_path / "emotions.npz")
    kept = (1 - SHARE) * before.weight[:, :WIDTH]
    assert after.weight[:, :WIDTH] == pytest.approx(kept)

    github = next(s for s in read_sets(data, ()) if s.source.name == "github")
    places = rows(data, "basic-emotion on GitHub")
    unseen = np.flatnonzero(github.held_out)
    encoder = Encoder(tmp_path, 1)
    few, both = read_states([github.texts[n] for n in unseen], encoder, "")
    truth = github.targets[unseen][:, : len(places)] > 0.5
    said = few @ after.weight[places, WIDTH:].T + after.bias[places] > 0
    assert np.mean(said == truth) > 0.95
    others, last = both[:, :WIDTH], both[:, WIDTH:]
    assert np.array_equal(last, few)
    logits = after.logits(both[0])
    alone = after.weight[:, WIDTH:] @ few[0] + after.bias
    assert logits == pytest.approx(kept @ others[0] + alone, abs=1e-4)


def test_labels_that_the_encoder_never_learned_leave_the_others_their_say(
    data: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A label of a set may be unknown, and a head may be of no set."""
    export(whole, tmp_path)
    named = json.loads((tmp_path / "heads.json").read_text())
    tone, calm = rows(data, "incivility on GitHub")
    named[tone] = {"task": "elsewhere", "label": "said"}
    (tmp_path / "heads.json").write_text(json.dumps(named))
    before = load_outputs(tmp_path / "emotions.npz")
    assert run(monkeypatch, data, tmp_path) == 0
    after = load_outputs(tmp_path / "emotions.npz")
    assert after.weight[calm, WIDTH:].any()
    assert np.array_equal(after.weight[tone], before.weight[tone])
    assert after.bias[tone] == before.bias[tone]


def test_the_same_data_give_the_same_heads(
    data: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for name in ("one", "two"):
        export(whole, tmp_path / name)
        assert run(monkeypatch, data, tmp_path / name) == 0
        made.append((tmp_path / name / "emotions.npz").read_bytes())
    assert made[0] == made[1]


def test_heads_that_have_their_say_already_are_refused(
    data: Path,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    export(whole, tmp_path)
    assert run(monkeypatch, data, tmp_path) == 0
    assert run(monkeypatch, data, tmp_path) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith(f"{tmp_path} has no few layers that wait for heads")
    (tmp_path / "shallow.onnx.gz").unlink()
    assert run(monkeypatch, data, tmp_path) == 1
