"""The page that ships is what its sources give."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

VIEWER = Path(__file__).parents[2] / "dashboards" / "viewer"
SOURCES = ("index.html", "public", "src")
OLDEST_NODE = (20, 19)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources, elsewhere, with the locked packages."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node.js is not installed: the page cannot be rebuilt")
    version = subprocess.check_output(["node", "--version"], text=True)
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < OLDEST_NODE:
        pytest.skip("Node.js is older than 20.19: the page cannot be rebuilt")
    copy = tmp_path_factory.mktemp("viewer")
    for path in VIEWER.iterdir():
        if path.name in SOURCES and path.is_dir():
            shutil.copytree(path, copy / path.name)
        elif path.name in SOURCES or path.suffix in {".json", ".ts"}:
            shutil.copy(path, copy)
    run(copy, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    return copy


def run(folder: Path, *command: str) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_sources_are_well_typed(sources: Path) -> None:
    run(sources, "npm", "run", "check")


def test_the_committed_page_is_what_the_sources_build(sources: Path) -> None:
    run(sources, "npm", "run", "build")
    built, committed = content(sources / "page"), content(VIEWER / "page")
    assert list(built) == list(committed)
    changed = [name for name, body in built.items() if body != committed[name]]
    assert changed == [], "npm ci && npm run build in dashboards/viewer"


def test_the_lock_names_no_registry() -> None:
    lock = json.loads((VIEWER / "package-lock.json").read_text(encoding="utf-8"))
    assert [name for name, one in lock["packages"].items() if "resolved" in one] == []


def test_the_page_asks_nobody_else() -> None:
    html = (VIEWER / "page" / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"https?://[^\"' ]+", html) == []
    assert "<style" not in html
    assert re.findall(r"<script(?![^>]*src=)", html) == []


def test_the_page_is_small_and_brings_its_licences() -> None:
    page = VIEWER / "page"
    assert (page / "viewer.js").stat().st_size < 650_000
    licences = (page / "licenses.md").read_text(encoding="utf-8")
    for name in ("echarts", "zrender", "tslib"):
        assert f"## {name}" in licences
