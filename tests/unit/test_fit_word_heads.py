"""Words learn what they say from labelled texts, but from none that judges them."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_training import write_base, write_data

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402 - needs torch

from pipeline.tagging.encoder import Encoder  # noqa: E402
from pipeline.tagging.hashed_words import hashed  # noqa: E402
from pipeline.tagging.heads import load_outputs  # noqa: E402
from pipeline.tagging.word_heads import FILE, WordHeads  # noqa: E402
from pipeline.training import word_heads  # noqa: E402
from pipeline.training.calibrate import OutputNames  # noqa: E402
from pipeline.training.corpora import read_sets  # noqa: E402
from pipeline.training.export import export  # noqa: E402
from pipeline.training.word_heads import (  # noqa: E402
    SHARE,
    Counted,
    fit_label,
    matrix,
    rounded,
    taught,
    vocabulary_of,
)

WIDTH = 32


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough texts that each emotion is in a few dozen."""
    return write_data(tmp_path_factory.mktemp("data"), 300)


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers, and heads that know nothing."""
    folder = write_base(tmp_path_factory.mktemp("whole"))
    outputs = [output for one in read_sets(data, ()) for output in one.outputs]
    weight = torch.randn(len(outputs), WIDTH, generator=torch.manual_seed(1)) / 100
    heads = {"weight": weight, "bias": torch.ones(len(outputs)) / 10}
    save_file(heads, folder / "heads.safetensors")
    named = [output._asdict() for output in outputs]
    (folder / "heads.json").write_text(json.dumps(named))
    return folder


def run(monkeypatch: pytest.MonkeyPatch, data: Path, model: Path) -> int:
    monkeypatch.setattr("sys.argv", ["word_heads", str(data), str(model)])
    return word_heads.main()


def test_words_say_what_people_say_of_texts_that_nobody_showed_them(
    data: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(whole, tmp_path)
    before = load_outputs(tmp_path / "emotions.npz")
    assert run(monkeypatch, data, tmp_path) == 0
    after = load_outputs(tmp_path / "emotions.npz")
    encoder, names = Encoder(tmp_path, 1), OutputNames(tmp_path)
    github = next(s for s in read_sets(data, ()) if s.source.name == "github")
    rows = [names.of([o.task], o.label)[0] for o in github.outputs[:6]]
    unseen = np.flatnonzero(github.held_out)
    states = np.array([encoder.read(github.texts[n]).pooled for n in unseen])
    truth = github.targets[unseen][:, :6] > 0.5
    said = states[:, WIDTH:] @ after.weight[rows, WIDTH:].T / SHARE
    assert np.mean((said > 0) == truth) > 0.95

    kept = (1 - SHARE) * before.weight[rows]
    assert after.weight[rows, :WIDTH] == pytest.approx(kept)
    assert after.bias[rows] == pytest.approx((1 - SHARE) * before.bias[rows])
    assert after.weight[rows, WIDTH:].sum(axis=1) == pytest.approx(SHARE)


def test_labels_that_words_do_not_judge_are_left_to_the_encoder(
    data: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(whole, tmp_path)
    before = load_outputs(tmp_path / "emotions.npz")
    assert run(monkeypatch, data, tmp_path) == 0
    after, names = load_outputs(tmp_path / "emotions.npz"), OutputNames(tmp_path)
    (jira,) = names.of(["basic-emotion on Jira"], "anger")
    assert np.array_equal(after.weight[jira, :WIDTH], before.weight[jira])
    assert after.bias[jira] == before.bias[jira]
    assert not after.weight[jira, WIDTH:].any()


def test_nothing_is_learned_from_texts_that_are_held_out(
    data: Path, whole: Path
) -> None:
    sets = [s for s in read_sets(data, ()) if s.source.name in word_heads.SETS]
    found = taught(data, OutputNames(whole))
    for its, one in zip(sets, found, strict=True):
        assert 0 < len(one.texts) <= len(its.texts) - its.held_out.sum()


def test_the_same_data_give_the_same_files_and_a_second_say_is_refused(
    data: Path,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = []
    for name in ("one", "two"):
        export(whole, tmp_path / name)
        assert run(monkeypatch, data, tmp_path / name) == 0
        files = [tmp_path / name / part for part in (FILE, "emotions.npz")]
        made.append([file.read_bytes() for file in files])
    assert made[0] == made[1]
    assert run(monkeypatch, data, tmp_path / "one") == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith(f"words have a say in {tmp_path / 'one'} already")
    export(whole, tmp_path / "one")
    assert run(monkeypatch, data, tmp_path / "one") == 0


def test_words_count_in_training_as_in_use(data: Path, whole: Path) -> None:
    sets = taught(data, OutputNames(whole))
    vocabulary = vocabulary_of(sets)
    text = "sorry this is sad sad and i am sad"
    counted = matrix([Counted(*np.unique_counts(hashed(text).hashes))], vocabulary)
    weight = np.random.default_rng(1).integers(-9, 9, (len(vocabulary.keys), 1))
    one, none = np.ones(1, np.float32), np.zeros(1, np.float32)
    heads = WordHeads(*vocabulary, weight.astype(np.int8), one, none)
    assert counted.nnz > 5
    assert heads.read(text).logits == pytest.approx((counted @ weight)[0], abs=1e-4)


def test_texts_that_nobody_looked_at_teach_a_label_nothing(
    data: Path, whole: Path
) -> None:
    sets = taught(data, OutputNames(whole))
    counted = matrix(sets[1].texts, vocabulary_of(sets))
    wanted = sets[1].targets[:, 0].astype(np.float64)
    some = np.where(np.arange(len(wanted)) % 2 == 0, wanted, np.nan)
    weight, bias = fit_label(counted, some)
    alone, its_bias = fit_label(counted[::2], wanted[::2])
    assert weight == pytest.approx(alone)
    assert bias == pytest.approx(its_bias)


def test_the_loudest_words_are_not_cut_off() -> None:
    table = np.random.default_rng(1).normal(0, 0.1, (5_000, 2))
    table[0] = 90, -8
    small, step = rounded(table)
    assert (np.abs(small * step.astype(np.float64) - table) <= step / 1.99).all()
