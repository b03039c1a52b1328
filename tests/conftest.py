"""What every test may use, and what a skip means."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NO_DATA = "the real data sets are not on this machine"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real training and replay data, where this machine has it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(NO_DATA)
    return SHARED_DATA


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
