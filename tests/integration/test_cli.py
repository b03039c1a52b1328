"""The command line as a new operator meets it, each command on real files."""

import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]
LINE = (
    '{{"id": "{n}", "ts": "2024-05-0{day}T10:00:00Z", "channel": "c", '
    '"user": "u{n}", "text": "thanks, that works great"}}\n'
)


def groundswell(
    *arguments: object, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.cli", *map(str, arguments)]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    path = tmp_path / "groundswell.toml"
    assert groundswell("init", "--config", path).returncode == 0
    return path


def test_from_init_to_an_answer_in_sql(configured: Path) -> None:
    archive = configured.parent / "Old Chat.jsonl"
    lines = [LINE.format(n=n, day=1 + n % 9) for n in range(90)]
    archive.write_text("".join(lines) + "not JSON\n", encoding="utf-8")
    option = ["--config", configured]
    assert groundswell("check", *option).stdout.endswith("nothing is wrong\n")
    replayed = groundswell("replay", archive, *option)
    assert "old-chat: 90 messages, 1 dead letters" in replayed.stdout
    assert groundswell("process", "--once", *option).returncode == 0
    assert groundswell("load", "--once", *option).returncode == 0
    data = configured.parent / "data"
    modes = {path.name: path.stat().st_mode & 0o777 for path in data.iterdir()}
    assert modes["log.sqlite"] == modes["warehouse.duckdb"] == modes["secret"] == 0o600
    assert modes["published.duckdb"] == 0o644
    query = "SELECT sum(messages) AS n FROM coverage"
    answer = groundswell("sql", query, "--json", *option)
    assert json.loads(answer.stdout) == {"n": 90}
    assert "prevalence_daily" in groundswell("sql", *option).stdout
    status = json.loads(groundswell("status", "--json", *option).stdout)
    assert (status["messages"], status["dead_letters"]) == (90, 1)
    assert status["waiting_to_be_loaded"] == 0
    assert "messages      90" in groundswell("status", *option).stdout
    assert "Old Chat.jsonl" in groundswell("dead-letters", *option).stdout
    letter = json.loads(groundswell("dead-letters", "--json", *option).stdout)
    assert letter["stage"] == "connect"


def test_replaying_an_archive_again_adds_nothing(configured: Path) -> None:
    archive = configured.parent / "chat.jsonl"
    archive.write_text(LINE.format(n=1, day=1), encoding="utf-8")
    option = ["--config", configured, "--json", "--source", "s"]
    first = groundswell("replay", archive, *option)
    again = groundswell("replay", archive, *option)
    assert json.loads(first.stdout)["summary"]["messages"] == 1
    assert json.loads(again.stdout)["summary"]["messages"] == 0


def test_tag_reads_standard_input_and_keeps_the_order() -> None:
    lines = '{"id": "b", "text": "I hate this"}\n{"id": "a", "text": "thanks!"}\n'
    answer = groundswell("tag", "-", text=lines)
    assert answer.returncode == 0, answer.stderr
    first, second = map(json.loads, answer.stdout.splitlines())
    assert (first["id"], second["id"]) == ("b", "a")
    marks = {(mark["task"], mark["label"]) for mark in first["marks"]}
    assert ("basic-emotion", "anger") in marks


def test_tag_reads_as_thoroughly_as_it_is_told() -> None:
    line = '{"id": 1, "text": "Who on earth wanted this? It never works"}\n'
    answer = groundswell("tag", "--tier", "full", "-", text=line)
    assert answer.returncode == 0, answer.stderr
    marks = json.loads(answer.stdout)["marks"]
    assert "anger" in {mark["label"] for mark in marks}


def test_a_bad_line_is_told_and_the_others_are_tagged() -> None:
    answer = groundswell("tag", "-", text='nonsense\n{"id": "a", "text": "thanks"}\n')
    assert answer.returncode == 1
    assert json.loads(answer.stdout.splitlines()[1])["id"] == "a"
    assert answer.stderr.startswith("groundswell: 1 lines could not be tagged")


@pytest.mark.parametrize(("wanted", "found"), [("true", [None]), ("false", [])])
def test_tag_marks_what_is_only_counted_where_it_is_configured_without_its_words(
    tmp_path: Path, wanted: str, found: list[None]
) -> None:
    path = tmp_path / "groundswell.toml"
    path.write_text(f"[privacy]\nsuicidality = {wanted}\n", encoding="utf-8")
    line = '{"id": 1, "text": "I want to kill myself"}\n'
    answer = groundswell("tag", "-", "--all", "--config", path, text=line)
    assert answer.returncode == 0, answer.stderr
    marks = json.loads(answer.stdout)["marks"]
    counted = [mark for mark in marks if mark["label"] == "suicidality"]
    assert [mark["evidence"] for mark in counted] == found


def test_the_example_of_docs_tag_md_prints_what_it_says() -> None:
    page = (ROOT / "docs" / "tag.md").read_text(encoding="utf-8")
    command, printed = re.findall(r"(?:^    .+\n)+", page, re.MULTILINE)
    answer = subprocess.run(
        ["bash", "-c", dedent(command)],
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert answer.returncode == 1
    answers = [json.loads(line) for line in answer.stdout.splitlines()]
    said = json.loads("[" + printed.replace("\n    {", "\n    ,{") + "]")
    for mark in (mark for one in (*answers, *said) for mark in one["marks"]):
        del mark["score"]  # its digits depend on the processor
    assert answers == said


def test_backtest_writes_forecasts_and_alarms(tmp_path: Path) -> None:
    series, output = tmp_path / "s.csv", tmp_path / "f.jsonl"
    days = [date.fromordinal(738_000 + n).isoformat() for n in range(200)]
    rows = [f"{day},{5 + n % 7}" for n, day in enumerate(days)]
    series.write_text("date,value\n" + "\n".join(rows), encoding="utf-8")
    answer = groundswell("backtest", series, "--days", 30, "--output", output)
    assert answer.returncode == 0, answer.stderr
    assert "MASE" in answer.stdout
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert sum("alarm" in line for line in lines) == 30
    assert sum("mean" in line for line in lines) == 30 * 7


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check"], "does not exist: write one with `groundswell init`"),
        (["run"], "does not exist: write one with `groundswell init`"),
        (["sql", "SELECT 1", "--config", "{config}"], "published"),
        (["sql", "SELEC", "--config", "{config}"], "published"),
        (["replay", "gone.jsonl", "--config", "{config}"], "gone.jsonl"),
        (["replay", "a", "--source", "all", "--config", "{config}"], "is taken"),
        (["replay", "a", "--source", "My Name", "--config", "{config}"], "a-z"),
        (["replay", "a", "--platform", "A b", "--config", "{config}"], "platform"),
        (["tag", "gone.jsonl"], "gone.jsonl"),
        (["backtest", "gone.csv"], "gone.csv"),
    ],
)
def test_bad_input_is_one_sentence_and_no_traceback(
    configured: Path, arguments: list[str], sentence: str
) -> None:
    given = [text.format(config=configured) for text in arguments]
    answer = groundswell(*given)
    assert answer.returncode == 1
    assert answer.stderr.startswith("groundswell: ")
    assert sentence in answer.stderr
    assert answer.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["fly"], ["demo", "--port", "0"], ["tag"]])
def test_misuse_is_status_2(arguments: list[str]) -> None:
    assert groundswell(*arguments).returncode == 2


def test_faults_of_a_configuration_are_listed_for_scripts_too(
    tmp_path: Path,
) -> None:
    path = tmp_path / "groundswell.toml"
    path.write_text("[logg]\n", encoding="utf-8")
    answer = groundswell("check", "--json", "--config", path)
    assert answer.returncode == 1
    (fault,) = json.loads(answer.stdout)["faults"]
    assert "'logg'" in fault


def test_a_missing_secret_hides_no_missing_model(tmp_path: Path) -> None:
    path = tmp_path / "groundswell.toml"
    path.write_text(
        "[tagging]\ntagger = 'transformers'\n"
        "[tagging.transformers]\nmodel = 'nobody/nothing'\n",
        encoding="utf-8",
    )
    answer = groundswell("check", "--config", path)
    assert answer.returncode == 1
    first, second = answer.stdout.splitlines()
    assert "the secret for pseudonyms is missing" in first
    assert "run hf download nobody/nothing" in second


def test_a_url_that_is_none_is_told_by_check_and_tag(tmp_path: Path) -> None:
    path = tmp_path / "groundswell.toml"
    text = (
        "[tagging]\ntagger = 'llm'\n[tagging.llm]\nmodel = 'm'\nurl = 'http://[::1/v1'"
    )
    path.write_text(text, encoding="utf-8")
    for command in (["check"], ["tag", "-"]):
        answer = groundswell(*command, "--config", path, text="")
        assert answer.returncode == 1
        assert "[tagging.llm] url: it names no host" in answer.stdout + answer.stderr
        assert "Traceback" not in answer.stderr


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    lines = '{"id": "a", "text": "thanks"}\n' * 20_000
    (tmp_path / "many.jsonl").write_text(lines, encoding="utf-8")
    command = f"{sys.executable} -m pipeline.cli tag {tmp_path}/many.jsonl | head -1"
    answer = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=True, timeout=60
    )
    assert answer.stderr == ""


def test_the_dashboards_can_be_built_anew() -> None:
    answer = groundswell("dashboards", "build")
    assert answer.returncode == 0
    assert "overview.json" in answer.stdout
