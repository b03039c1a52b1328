"""What every test may use, and what a skip means."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flink_cluster import FlinkCluster
from kafka_server import KafkaServer
from maven_jars import NotInstalledError
from published_tables import LONG, configured, finish
from streaming_stack import WORKERS

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NO_DATA = "the real data sets are not on this machine"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real training and replay data, where this machine has it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(NO_DATA)
    return SHARED_DATA


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a whole demo ran, up to its first publication."""
    folder = tmp_path_factory.mktemp("demo") / "groundswell-demo"
    command = [sys.executable, "-m", "pipeline.cli", "demo", "--once", "--dir", folder]
    subprocess.run(command, check=True, timeout=280)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    return folder


@pytest.fixture(scope="session")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Path:
    """The configuration of one machine that has published what the demo's archives
    hold, or in the long form the real streams, and that nothing ever killed."""
    streams = request.getfixturevalue("shared_data") / "streams" if LONG else None
    path = configured(tmp_path_factory.mktemp("undisturbed") / "one", streams)
    finish(path)
    return path


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A running broker; tests keep apart by the prefix of their log."""
    try:
        server = KafkaServer(tmp_path_factory.mktemp("kafka"))
    except NotInstalledError as error:
        pytest.skip(str(error))
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def flink_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkCluster]:
    """A running Flink of two TaskManagers; whoever uses it leaves it tidy."""
    try:
        cluster = FlinkCluster(tmp_path_factory.mktemp("flink"), workers=WORKERS)
    except NotInstalledError as error:
        pytest.skip(str(error))
    with cluster:
        yield cluster


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """With GROUNDSWELL_REQUIRE_ALL=1 a skip fails, but for data nobody may ship."""
    report = yield
    required = os.environ.get("GROUNDSWELL_REQUIRE_ALL") == "1"
    if required and report.skipped and NO_DATA not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"skipped, where nothing may be: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the skips in the last lines, so that none goes unnoticed."""
    skipped = len(terminalreporter.stats.get("skipped", []))
    terminalreporter.write_line(f"{skipped} tests skipped")
