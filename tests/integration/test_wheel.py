"""The built wheel holds all that a user needs, without this repository beside it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = {
    "dashboards/generated/overview.json",
    "dashboards/viewer/page/index.html",
    "pipeline/jobs/demo_data/ubuntu_irc_sample.jsonl.gz",
    "pipeline/jobs/groundswell.toml",
    "pipeline/tagging/labels.toml",
    "pipeline/tagging/lexicons/basic-emotion.tsv",
    "pipeline/warehouse/published.sql",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_data_and_licence_but_no_sources_of_the_page(
    wheel: Path,
) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert names >= DATA
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.endswith("licenses/NOTICE") for name in names)
    assert not [name for name in names if name.endswith((".ts", "package-lock.json"))]
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]


@pytest.mark.timeout(200)
def test_a_demo_runs_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    where = [sys.executable, "-c", "import pipeline.cli; print(pipeline.cli.__file__)"]
    # Lines run from the copy are no lines of this repository.
    environ = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    environ["PYTHONPATH"] = str(site)
    found = subprocess.check_output(where, env=environ, cwd=tmp_path, text=True)
    assert found.startswith(str(site))
    answer = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "demo", "--once"],
        env=environ,
        cwd=tmp_path,
        check=False,
    )
    assert answer.returncode == 0
    assert (tmp_path / "groundswell-demo" / "data" / "published.duckdb").exists()
