import gzip
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import save_file

from pipeline.tagging.calibration import Scale
from pipeline.tagging.heads import load_heads
from pipeline.tagging.spanish import CALM, CALM_SPELLINGS, SPELLINGS, felt
from pipeline.tagging.spanish_spellings import Spellings
from pipeline.training import spanish_heads
from pipeline.training.markers_texts import CHATS
from pipeline.training.spanish import FOLDS
from pipeline.training.spanish_calm import ALWAYS, Material, material
from pipeline.training.spanish_corpora import outputs
from pipeline.training.spanish_heads import (
    LABELS,
    calm_toml,
    likely,
    opinions,
    scale_felt,
    shares,
    truth_of,
)

WORDS = ("rabia", "asco", "miedo", "risa", "pena", "vaya", "nada")
COMMENTS = 77
WIDTH = len(LABELS)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Comments of one word and its emotion, the last of which has none; no chats."""
    data = tmp_path_factory.mktemp("data")
    emotion, streams = data / "emotion", data / "streams"
    emotion.mkdir()
    streams.mkdir()
    lines = [f"id,text,{','.join(LABELS)}"]
    for number in range(70):
        word = number % len(WORDS)
        grades = ",".join(str(2 * (word == n)) for n in range(len(LABELS)))
        lines.append(f"{number},qué {WORDS[word]},{grades}")
    for part, rows in (("train", lines), ("dev", lines[:8])):
        (emotion / f"brighter_esp_{part}.csv").write_text("\n".join(rows))
    (emotion / "goemotions_labels.txt").write_text("joy\nneutral\n")
    for name in CHATS:
        with gzip.open(streams / f"{name}.jsonl.gz", "wt") as file:
            file.write('{"text": "¿alguien sabe cómo se instala esto?"}\n')
    return data


@pytest.fixture(scope="module")
def held(corpora: Path) -> Material:
    return material(corpora)


@pytest.fixture
def run(
    tmp_path: Path, corpora: Path, held: Material, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """What a training leaves behind whose states are the truth but for some noise."""
    folder, names = tmp_path / "run", outputs(corpora)
    random = np.random.default_rng(1)
    weight = np.zeros((len(names), WIDTH), np.float32)
    weight[:WIDTH] = 4 * np.eye(WIDTH)
    heads = {"weight": weight, "bias": np.full(len(names), -2, np.float32)}
    for name in ("encoder", *(f"fold-{n}" for n in range(FOLDS))):
        (folder / name).mkdir(parents=True)
        save_file(heads, folder / name / "heads.safetensors")
    truth = truth_of(held.labels) + random.normal(size=(len(held.texts), WIDTH)) / 4
    known = dict(zip(held.texts, truth, strict=True))

    def states(_: Path, __: object, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        return np.array([known[text] for text in texts])

    def export(_: Path, output: Path) -> None:
        output.mkdir()
        (output / "heads.json").touch()

    def encoder(*_: object) -> SimpleNamespace:
        return SimpleNamespace(read=lambda text: SimpleNamespace(pooled=known[text]))

    monkeypatch.setattr(spanish_heads, "states", states)
    monkeypatch.setattr(spanish_heads, "export", export)
    monkeypatch.setattr(spanish_heads, "Encoder", encoder)
    return folder


def test_the_opinion_that_tells_nothing_counts_for_nothing() -> None:
    random = np.random.default_rng(1)
    said, noise = random.normal(size=(2, 400, 1))
    first, second = shares(said, noise, said + random.normal(size=(400, 1)) > 0)
    assert first > 1
    assert abs(second) < 0.3


def test_what_judges_a_text_did_not_learn_from_it(
    run: Path, corpora: Path, held: Material
) -> None:
    said = opinions(run, corpora, held, COMMENTS)
    truth = truth_of(held.labels)[:COMMENTS]
    for opinion in (said.encoder, said.spelling):
        judged = opinion[:COMMENTS]
        assert judged[truth].mean() > judged[~truth].mean() + 1
    shown = truth_of(held.where(held.fold != ALWAYS).labels).any(axis=1)
    assert said.felt[shown].mean() > 0 > said.felt[~shown].mean()


def test_a_label_is_as_likely_as_any_and_then_this_one() -> None:
    scales = [Scale(2.0, 0.0, 0.5), Scale(1.0, 1.0, 0.5)]
    said = likely(scales, np.array([[0.0, -1.0]] * 2), np.array([0.0, 50.0]))
    assert said == pytest.approx(np.array([[0.25, 0.25], [0.5, 0.5]]))
    keys = [("basic-emotion", "joy"), CALM]
    assert felt(keys, np.array([0.5, 0.5])) == pytest.approx([0.25, 0.5])


def test_any_emotion_is_scaled_as_if_half_of_the_texts_showed_one() -> None:
    felt = np.array([-1.0] * 90 + [1.0] * 10 + [1.0] * 900 + [-1.0] * 100)
    shown = np.arange(len(felt)) >= 100
    scale = scale_felt(felt, shown, np.ones(len(felt)))
    assert scale.slope == pytest.approx(np.log(9), abs=0.1)
    assert scale.bias == pytest.approx(0, abs=0.05)


def test_nothing_is_flagged_where_neutral_is() -> None:
    scales = [Scale(1.0, 0.0, 0.4), Scale(1.0, 0.0, 0.35)]
    toml = calm_toml(scales, Scale(2.0, 0.5, 0.5))
    assert "slope = 2.0, bias = -0.5, threshold = 0.651" in toml
    assert "[heads.fine-emotion.any]" in toml
    social = toml.partition("[heads.fine-emotion.twitter]")[2]
    assert "slope = 2.0, bias = -1.6, threshold = 0.651" in social


def test_what_is_shipped_judges_by_states_and_spellings(
    run: Path,
    corpora: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "shipped"
    given = ["it", str(run), str(corpora), str(output)]
    monkeypatch.setattr("sys.argv", given)
    assert spanish_heads.main() == 0
    printed = capsys.readouterr().out
    assert "basic-emotion, any, 6 labels" in printed
    assert "basic-emotion, as shipped" in printed
    assert "calm ones" in printed
    heads = load_heads(output, "github")
    assert heads.keys == [*(("basic-emotion", label) for label in LABELS), CALM]
    assert heads.weight.shape == (len(LABELS) + 1, WIDTH + len(LABELS) + 1)
    spelt = [
        Spellings.load(output / name).read("qué pena").logits
        for name in (SPELLINGS, CALM_SPELLINGS)
    ]
    state = np.array([0, 0, 0, 0, 1, 0], np.float32)
    scores = felt(heads.keys, heads.scores(np.concatenate([state, *spelt])))
    assert heads.keys[int(np.argmax(scores))] == ("basic-emotion", "sadness")
