"""What is refused before a backtest begins."""

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError
from pipeline.jobs.backtest_input import read_series

START = date(2024, 1, 1)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    lines = [f"{START + timedelta(days=day)},{1 + day % 3}" for day in range(21)]
    return write(tmp_path / "S.csv", lines)


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(["date,value", *lines]))
    return path


def read(csv: Path, **asked: Any) -> None:
    usual: dict[str, Any] = {"horizon": 7, "days": 30, "outputs": ()}
    read_series(csv, **(usual | asked))


def test_a_series_long_enough_is_read(csv: Path, tmp_path: Path) -> None:
    read(csv, outputs=(tmp_path / "F.jsonl", None))
    assert not (tmp_path / "F.jsonl").exists()


def test_the_series_itself_is_never_overwritten(csv: Path) -> None:
    with pytest.raises(InputError, match="is the series itself"):
        read(csv, outputs=(None, csv))


def test_two_outputs_never_overwrite_each_other(csv: Path, tmp_path: Path) -> None:
    same = tmp_path / "x" / ".." / "F"
    (tmp_path / "x").mkdir()
    with pytest.raises(InputError, match="is asked for twice: write to two files"):
        read(csv, outputs=(tmp_path / "F", same))


@pytest.mark.parametrize("output", ["none/F.jsonl", ".", "S.csv/F.jsonl"])
def test_what_cannot_be_written_is_refused_before_the_work(
    csv: Path, tmp_path: Path, output: str
) -> None:
    with pytest.raises(InputError, match="cannot be written: choose a file"):
        read(csv, outputs=(tmp_path / output,))


def test_a_file_that_is_there_may_be_written_anew(csv: Path, tmp_path: Path) -> None:
    (tmp_path / "F.jsonl").touch()
    read(csv, outputs=(tmp_path / "F.jsonl",))


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"horizon": 0}, "a horizon of 0 days cannot be forecast: choose 1 to 28"),
        ({"horizon": 29}, "choose 1 to 28"),
        ({"days": 0}, "choose at least 1"),
        ({"horizon": 8}, "13 known days before the last 8"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(
    csv: Path, arguments: dict[str, Any], fault: str
) -> None:
    with pytest.raises(InputError, match=fault) as refusal:
        read(csv, **arguments)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([], "holds no day"),
        (["2024-01-01,3"], "has 1 known day: a forecast needs at least 14"),
        (["2024-01-01,inf"], r"line 2: .inf. is too large \(the limit is 1e15\)"),
        (["2024-01-01,3", "2024-01-01,4"], "line 3: 2024-01-01 was given in line 2"),
        (["2024-01-01,three"], "line 2: 'three' is no number"),
        (["1/2/2024,3"], "line 2: '1/2/2024' is no date"),
        (["2024-01-01,1", "9024-01-01,1"], "correct the mistyped year"),
        (["2024-01-01,1e99"], "is too large"),
    ],
)
def test_what_is_no_series_is_refused_in_one_sentence(
    tmp_path: Path, lines: list[str], fault: str
) -> None:
    with pytest.raises(InputError, match=fault) as refusal:
        read(write(tmp_path / "S.csv", lines))
    assert "\n" not in str(refusal.value)


def every(days: int) -> list[str]:
    return [f"{START + timedelta(days=days * n)},{1 + n % 3}" for n in range(40)]


def monthly() -> list[str]:
    return [f"{2020 + n // 12}-{1 + n % 12:02}-01,{1 + n % 3}" for n in range(40)]


@pytest.mark.parametrize(
    ("lines", "spacing"), [(every(7), 7), (every(2), 2), (monthly(), 31)]
)
def test_weekly_and_monthly_values_are_refused(
    tmp_path: Path, lines: list[str], spacing: int
) -> None:
    with pytest.raises(InputError, match=f"has a value every {spacing} days: a back"):
        read(write(tmp_path / "S.csv", lines))


def test_business_days_are_daily_with_gaps(tmp_path: Path) -> None:
    lines = [line for n, line in enumerate(every(1)) if n % 7 < 5]
    read(write(tmp_path / "S.csv", lines))


def test_a_refusal_does_not_wait_for_what_only_forecasts_need() -> None:
    asked = """
import sys
from pipeline.cli import main
assert main(["backtest", "none.csv"]) == 1
print([name for name in ("scipy", "statsmodels") if name in sys.modules])
"""
    told = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    )
    assert told.stdout == "[]\n"
    assert "none.csv cannot be read" in told.stderr
