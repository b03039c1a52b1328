"""Jars of Maven Central for the engines that tests start, each with its pinned hash.

An engine is a folder with a pom.xml, which says what is wanted, and jars.sha256, which
says what that is: a line a jar, as `sha256sum` writes it.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(__file__).resolve().parents[1] / ".cache"
INSTALL_S = 540


class NotInstalledError(Exception):
    """An engine cannot run on this machine; says what is missing."""


def installed(engine: Path) -> Path:
    """The folder of an engine's jars, which Maven fills when nobody has yet.

    Its name changes with the pins, so that none of other versions is ever taken for it.

    Raises:
        NotInstalledError: this machine has no Java, or no Maven.
        RuntimeError: Maven failed, or brought something else than is pinned.
    """
    _require(
        "java", "no Java on this machine: Debian's package is default-jre-headless"
    )
    pins = (engine / "jars.sha256").read_text(encoding="ascii")
    digest = hashlib.sha256(pins.encode()).hexdigest()[:12]
    folder = CACHE / f"{engine.name}-{digest}"
    CACHE.mkdir(exist_ok=True)
    with _alone(CACHE / f"{engine.name}.lock"):
        if not folder.is_dir():
            with _downloaded(engine) as jars:
                _compare(_sums(jars), pins)
                jars.rename(folder)
    return folder


def pin(engine: Path) -> None:
    """Write jars.sha256 anew from what Maven brings now."""
    with _downloaded(engine) as jars:
        (engine / "jars.sha256").write_text(_sums(jars), encoding="ascii")


@contextmanager
def _downloaded(engine: Path) -> Iterator[Path]:
    """What Maven brings for the pom, in a folder that may be renamed."""
    _require("mvn", "no Maven on this machine: Debian's package is maven")
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=f"{engine.name}-") as half:
        jars = Path(half) / "jars"
        command = ["mvn", "-q", "-B", "-C", "-f", str(engine / "pom.xml")]
        goal = ["dependency:copy-dependencies", "-DincludeScope=runtime"]
        done = subprocess.run(
            [*command, *goal, f"-DoutputDirectory={jars}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=INSTALL_S,
        )
        if done.returncode != 0:
            said = done.stdout.decode(errors="replace")[-2_000:]
            raise RuntimeError(f"Maven did not download {engine.name}:\n{said}")
        yield jars


def _sums(jars: Path) -> str:
    lines = (
        f"{hashlib.sha256(jar.read_bytes()).hexdigest()}  {jar.name}\n"
        for jar in sorted(jars.iterdir())
    )
    return "".join(lines)


def _compare(sums: str, pins: str) -> None:
    different = sorted(set(sums.splitlines()) ^ set(pins.splitlines()))
    if different:
        raise RuntimeError("Maven brought other jars than pinned: " + different[0])


def _require(program: str, otherwise: str) -> None:
    if shutil.which(program) is None:
        raise NotInstalledError(otherwise)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Let one process at a time install an engine."""
    with lock.open("a", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    pin(Path(sys.argv[1]))
