from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from pipeline.tagging.heads import load_heads
from pipeline.tagging.spanish import SPELLINGS
from pipeline.tagging.spanish_spellings import Spellings
from pipeline.training import spanish_heads
from pipeline.training.spanish_corpora import brighter_spanish, outputs
from pipeline.training.spanish_heads import LABELS, shares, spelt, truth_of

WORDS = ("rabia", "asco", "miedo", "risa", "pena", "vaya", "nada")
WIDTH = 4


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    """Comments of one word and its emotion, the last of which has none."""
    emotion = tmp_path / "data" / "emotion"
    emotion.mkdir(parents=True)
    lines = [f"id,text,{','.join(LABELS)}"]
    for number in range(70):
        word = number % len(WORDS)
        grades = ",".join(str(2 * (word == n)) for n in range(len(LABELS)))
        lines.append(f"{number},qué {WORDS[word]},{grades}")
    for part, rows in (("train", lines), ("dev", lines[:8])):
        (emotion / f"brighter_esp_{part}.csv").write_text("\n".join(rows))
    (emotion / "goemotions_labels.txt").write_text("joy\nneutral\n")
    return tmp_path / "data"


@pytest.fixture
def run(tmp_path: Path, corpora: Path) -> Path:
    """What a training leaves behind that knows the truth but for some noise."""
    folder = tmp_path / "run"
    (folder / "encoder").mkdir(parents=True)
    names, random = outputs(corpora), np.random.default_rng(1)
    truth = truth_of(brighter_spanish(corpora), LABELS)
    said = np.zeros((len(truth), len(names)), np.float32)
    said[:, : len(LABELS)] = 4 * truth - 2 + random.normal(size=truth.shape)
    np.savez(folder / "judged.npz", said=said)
    weight = random.normal(size=(len(names), WIDTH)).astype(np.float32)
    heads = {"weight": weight, "bias": np.ones(len(names), np.float32)}
    save_file(heads, folder / "encoder" / "heads.safetensors")
    return folder


def test_the_opinion_that_tells_nothing_counts_for_nothing() -> None:
    random = np.random.default_rng(1)
    said, noise = random.normal(size=(2, 400, 1))
    first, second = shares(said, noise, said + random.normal(size=(400, 1)) > 0)
    assert first > 1
    assert abs(second) < 0.3


def test_spellings_judge_what_they_did_not_learn_from(corpora: Path) -> None:
    comments = brighter_spanish(corpora)
    said = spelt(comments)
    assert said.shape == (77, len(LABELS))
    truth = truth_of(comments, LABELS)
    assert said[truth].min() > said[~truth].max()


def test_what_is_shipped_judges_by_states_and_spellings(
    run: Path,
    corpora: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def export(_: Path, output: Path) -> None:
        output.mkdir()
        (output / "heads.json").touch()

    monkeypatch.setattr(spanish_heads, "export", export)
    output = tmp_path / "shipped"
    given = ["it", str(run), str(corpora), str(output)]
    monkeypatch.setattr("sys.argv", given)
    assert spanish_heads.main() == 0
    assert "basic-emotion, any, 6 labels" in capsys.readouterr().out
    heads = load_heads(output, "github")
    assert [label for _, label in heads.keys] == list(LABELS)
    assert heads.weight.shape == (len(LABELS), WIDTH + len(LABELS))
    said = Spellings.load(output / SPELLINGS).read("qué pena").logits
    scores = heads.scores(np.concatenate([np.zeros(WIDTH, np.float32), said]))
    assert LABELS[int(np.argmax(scores))] == "sadness"
