"""A head that tells calm texts from those that show a feeling."""

from pathlib import Path

import numpy as np
import pytest
from shipped_copy import link_shipped
from tiny_training import write_data

from pipeline.tagging.heads import FELT, load_heads
from pipeline.training import felt
from pipeline.training.felt import PLATFORMS, Material, Part, States, fit

RANDOM = np.random.default_rng(4)
WIDTH = 5
COUNT = 200


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The package's encoder and heads, but for these."""
    return link_shipped(tmp_path / "model", {"felt.npz", "felt.toml"})


def run(monkeypatch: pytest.MonkeyPatch, *arguments: Path) -> int:
    monkeypatch.setattr("sys.argv", ["felt", *map(str, arguments)])
    return felt.main()


def test_a_head_learns_what_calm_texts_are() -> None:
    names = PLATFORMS[0].counts
    truth = {name: RANDOM.random(COUNT) < 0.5 for name in names}
    states = {
        name: RANDOM.normal(0.0, 1.0, (COUNT, WIDTH)) + 2.0 * shown[:, np.newaxis]
        for name, shown in truth.items()
    }
    learned = {name: Part([""] * COUNT, shown) for name, shown in truth.items()}
    settings = PLATFORMS[0]._replace(held=1.0)
    some = np.arange(COUNT) % 2 == 0
    head = fit(
        settings, Material(learned, {}, {}, {}), States(states, {}).learned, some
    )
    said = head.logits(states["sentences"][~some])[:, 0] > 0
    assert (said == truth["sentences"][~some]).mean() > 0.95


def test_it_is_written_where_the_tagger_looks_and_the_same_twice(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = write_data(tmp_path / "data")
    written = []
    for _ in range(2):
        assert run(monkeypatch, data, model) == 0
        written.append((model / "felt.npz").read_bytes())
    assert written[0] == written[1]
    said = capsys.readouterr().out
    assert "twitter, this model: before, after" in said
    assert "calm sentences" in said
    for platform in ("github", "mastodon"):
        assert FELT in load_heads(model, platform).keys
    assert FELT not in load_heads(model, "irc").keys


def test_missing_data_are_told_in_a_sentence(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, tmp_path / "nowhere", model) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (model / "felt.npz").exists()
