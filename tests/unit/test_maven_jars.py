"""Engines are installed once, whole, and with the very jars that are pinned."""

import hashlib
import multiprocessing
from pathlib import Path

import maven_jars
import pytest

MAVEN = """#!/bin/sh
echo run >> "{log}"
for word; do case "$word" in
    -DoutputDirectory=*) folder="${{word#*=}}"; mkdir "$folder";
esac; done
printf '%s' '{content}' > "$folder/engine.jar"
exit {status}
"""


class Maven:
    """A stand-in that brings one jar."""

    def __init__(self, folder: Path) -> None:
        self._program = folder / "mvn"
        self._log = folder / "runs"
        java = folder / "java"
        java.touch(mode=0o755)

    def brings(self, content: str, status: int = 0) -> None:
        text = MAVEN.format(log=self._log, content=content, status=status)
        self._program.write_text(text, encoding="ascii")
        self._program.chmod(0o755)

    @property
    def runs(self) -> int:
        return len(self._log.read_text().splitlines()) if self._log.exists() else 0


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maven:
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setattr(maven_jars, "CACHE", tmp_path / "cache")
    return Maven(programs)


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    folder = tmp_path / "engine"
    folder.mkdir()
    (folder / "pom.xml").touch()
    pins(folder, "right")
    return folder


def pins(engine: Path, content: str) -> None:
    digest = hashlib.sha256(content.encode()).hexdigest()
    (engine / "jars.sha256").write_text(f"{digest}  engine.jar\n", encoding="ascii")


def left(engine: Path) -> list[str]:
    """What an installation leaves in the cache, but for its lock."""
    lock = f"{engine.name}.lock"
    return sorted(p.name for p in maven_jars.CACHE.iterdir() if p.name != lock)


def test_an_engine_is_downloaded_once(maven: Maven, engine: Path) -> None:
    maven.brings("right")
    folder = maven_jars.installed(engine)
    assert maven_jars.installed(engine) == folder
    assert (folder / "engine.jar").read_text() == "right"
    assert maven.runs == 1
    assert left(engine) == [folder.name]


def test_a_jar_that_is_not_the_pinned_one_is_refused(
    maven: Maven, engine: Path
) -> None:
    maven.brings("wrong")
    with pytest.raises(RuntimeError, match="other jars than pinned"):
        maven_jars.installed(engine)
    assert left(engine) == []


def test_a_download_that_broke_off_does_not_count(maven: Maven, engine: Path) -> None:
    maven.brings("right", status=1)
    with pytest.raises(RuntimeError, match="did not download"):
        maven_jars.installed(engine)
    assert left(engine) == []
    maven.brings("right")
    assert maven_jars.installed(engine).is_dir()


def test_new_pins_are_a_new_installation(maven: Maven, engine: Path) -> None:
    maven.brings("right")
    before = maven_jars.installed(engine)
    pins(engine, "newer")
    maven.brings("newer")
    assert maven_jars.installed(engine) != before


def test_of_two_processes_one_installs_and_the_other_waits(
    maven: Maven, engine: Path
) -> None:
    maven.brings("right")
    context = multiprocessing.get_context("fork")
    both = [
        context.Process(target=maven_jars.installed, args=[engine]) for _ in range(2)
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(20)
        assert process.exitcode == 0
    assert maven.runs == 1


def test_a_machine_without_java_is_told_so(
    engine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(maven_jars.NotInstalledError, match="no Java on this machine"):
        maven_jars.installed(engine)


def test_pinning_writes_what_maven_brings(maven: Maven, engine: Path) -> None:
    maven.brings("newest")
    maven_jars.pin(engine)
    assert (maven_jars.installed(engine) / "engine.jar").read_text() == "newest"
