"""Basic emotions on Reddit, learned from the fine ones that hang under them."""

from pathlib import Path

import pytest
from shipped_copy import link_shipped
from tiny_training import write_data

from pipeline.tagging.encoder import SHIPPED
from pipeline.tagging.heads import load_heads
from pipeline.training import reddit

JOY = ("basic-emotion", "joy")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The package's encoder and heads, but for these."""
    return link_shipped(tmp_path / "model", {"reddit.npz", "reddit.toml"})


def run(monkeypatch: pytest.MonkeyPatch, *arguments: Path) -> int:
    monkeypatch.setattr("sys.argv", ["reddit", *map(str, arguments)])
    return reddit.main()


def test_heads_are_written_for_reddit_alone_and_the_same_twice(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = write_data(tmp_path / "data")
    written = []
    for _ in range(2):
        assert run(monkeypatch, data, model) == 0
        written.append((model / "reddit.npz").read_bytes())
    assert written[0] == written[1]
    assert "common heads" in capsys.readouterr().out
    own, others = (load_heads(model, platform) for platform in ("reddit", "irc"))
    before = load_heads(SHIPPED, "irc")
    assert own.weight[own.keys.index(JOY)].tolist() != (
        others.weight[others.keys.index(JOY)].tolist()
    )
    assert others.keys == before.keys


@pytest.mark.parametrize("broken", [None, "no label"])
def test_data_that_cannot_be_read_are_told_in_a_sentence(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    broken: str | None,
) -> None:
    data = write_data(tmp_path / "data")
    path = data / "emotion" / "goemotions_train.tsv"
    path.unlink()
    if broken:
        path.write_text(broken)
    assert run(monkeypatch, data, model) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (model / "reddit.npz").exists()
