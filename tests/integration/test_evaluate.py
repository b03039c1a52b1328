"""`groundswell evaluate` as it is called."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def evaluate(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.cli", "evaluate", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    folder = tmp_path / "gold"
    folder.mkdir()
    lines = [
        {"id": 1, "text": "thanks a lot, I love it", "labels": ["love"]},
        {"id": 2, "text": "I hate this broken build", "labels": ["anger"]},
        {"id": 3, "text": "see the file", "labels": []},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "mine.jsonl").write_text(text, encoding="utf-8")
    return folder


def test_a_result_can_be_kept_and_compared(gold: Path, tmp_path: Path) -> None:
    answer = evaluate(gold, "--tagger", "lexicon", "--json")
    assert answer.returncode == 0, answer.stderr
    kept = tmp_path / "lexicon.json"
    kept.write_text(answer.stdout, encoding="utf-8")
    result = json.loads(answer.stdout)
    assert (result["tagger"], result["messages"]) == ("lexicon-1", 3)
    assert {f["figure"] for f in result["figures"]} >= {"micro_f1", "ece", "recall"}
    compared = evaluate("--compare", kept, "lexicon", gold)
    assert compared.returncode == 0, compared.stderr
    assert "too few messages to tell" in compared.stdout
    assert "Traceback" not in compared.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        ([], 2, "a FOLDER of gold labels is needed"),
        (["gone"], 1, "groundswell: gone is no folder"),
        (["--compare", "gone.json", "b"], 1, "gone.json is no tagger, and cannot be"),
        (["--compare", "lexicon", "b"], 2, "a FOLDER of gold labels is needed"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str], status: int, sentence: str
) -> None:
    answer = evaluate(*arguments)
    assert answer.returncode == status
    assert sentence in answer.stderr
    assert "Traceback" not in answer.stderr
