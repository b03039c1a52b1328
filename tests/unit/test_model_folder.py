"""A folder of English models that a user trained."""

import subprocess
import sys
from pathlib import Path

import pytest
from shipped_copy import link_shipped

from pipeline.config import TaggingSettings
from pipeline.errors import ConfigError
from pipeline.records import Mark
from pipeline.tagging.encoder import SHIPPED
from pipeline.tagging.load import load_tagger
from pipeline.tagging.model_folder import faults_of
from pipeline.tagging.tagger import TextToTag

TEXT = "I hate this, the build fails again because the cache is broken."
CAUSES = "spans"
LATER = ("cascade", CAUSES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What `groundswell train` writes: all but what other commands add."""
    later = {f"{stem}.{ending}" for stem in LATER for ending in ("npz", "toml")}
    return link_shipped(tmp_path / "model", later)


def marks_of(model: Path | None, tier: str = "full") -> list[Mark]:
    settings = TaggingSettings(model=model and str(model), tier=tier)  # type: ignore[arg-type]
    tagger = load_tagger(settings, suicidality=False)
    (marks,) = tagger.tag([TextToTag(TEXT, "en", "github", ())])
    assert {mark.tagger for mark in marks} == {tagger.name}
    return marks


def test_a_users_model_judges_as_it_does_in_the_package(folder: Path) -> None:
    shipped = {
        (mark.task, mark.label): mark.score
        for mark in marks_of(None)
        if not mark.task.startswith("cause")
    }
    own = {(mark.task, mark.label): mark.score for mark in marks_of(folder)}
    assert own.items() >= shipped.items()


def test_without_a_model_of_spans_no_cause_is_pointed_at(folder: Path) -> None:
    assert "cause-span" not in {mark.task for mark in marks_of(folder)}
    for path in SHIPPED.glob(f"{CAUSES}.*"):
        (folder / path.name).symlink_to(path)
    assert "cause-span" in {mark.task for mark in marks_of(folder)}


def test_marks_are_signed_by_what_is_in_the_folder(folder: Path) -> None:
    name = marks_of(folder)[0].tagger
    assert name.startswith("encoder-")
    assert name != marks_of(None)[0].tagger
    thresholds = folder / "emotions.toml"
    changed = thresholds.read_text().replace("threshold = 0.", "threshold = 0.9")
    thresholds.unlink()
    thresholds.write_text(changed)
    assert marks_of(folder)[0].tagger != name


def test_every_tier_reads_the_whole_where_nothing_foretells_it(folder: Path) -> None:
    assert marks_of(folder, "fast") == marks_of(folder, "full")


@pytest.mark.parametrize(
    "spoilt", ["lower.onnx.gz", "upper.onnx.gz", "tokenizer.json", "emotions.npz"]
)
def test_what_cannot_be_used_is_told_in_a_sentence(folder: Path, spoilt: str) -> None:
    assert faults_of(folder) == []
    (folder / spoilt).unlink()
    other = folder.with_name("missing")
    folder.rename(other)
    (fault,) = faults_of(other)
    assert "groundswell train" in fault
    (other / spoilt).write_bytes((SHIPPED / spoilt).read_bytes()[:2_000])
    other.rename(folder.with_name("cut"))
    (fault,) = faults_of(folder.with_name("cut"))
    assert "\n" not in fault


def test_parts_that_are_not_of_one_model_are_told_so(folder: Path) -> None:
    (folder / "words.weights").unlink()
    for path in SHIPPED.glob(f"{CAUSES}.*"):
        (folder / path.name).symlink_to(path)
    with pytest.raises(ConfigError, match="cannot be used"):
        marks_of(folder)


def groundswell(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout


def test_check_tries_the_model(folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "groundswell.toml"
    assert groundswell("init", "--config", str(config))[0] == 0
    settings = config.read_text()
    assert "[tagging]" in settings
    config.write_text(settings.replace("[tagging]", '[tagging]\nmodel = "model"'))
    assert groundswell("check", "--config", str(config))[0] == 0
    (folder / "upper.onnx.gz").unlink()
    code, said = groundswell("check", "--config", str(config))
    assert code == 1
    assert f"[tagging] model: {folder} cannot be used" in said
