import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from pipeline.config import TaggingSettings
from pipeline.errors import InputError
from pipeline.evaluation.compare import compare
from pipeline.evaluation.report import render, render_comparison
from pipeline.evaluation.result import Result, read_result
from pipeline.jobs.evaluate import Asked, evaluate, load_asked
from pipeline.jobs.tag import tag_lines
from pipeline.records import Mark
from pipeline.tagging.tagger import Tagger, TextToTag
from pipeline.testing import FakeTagger

SECRET = "a sentence that nobody may keep"


class CauseTagger:
    """Knows what every message is angry at: what stands after `at `."""

    name = "cause-1"

    def tag(self, texts: Sequence[TextToTag]) -> list[list[Mark]]:
        return [self._marks(text.text) for text in texts]

    def _marks(self, text: str) -> list[Mark]:
        if " at " not in text:
            return []
        start = text.index(" at ") + len(" at ")
        spans = [(0.6, (start, len(text))), (0.4, (0, 2))]
        return [
            Mark(
                task="cause-span",
                label=f"span-{n}",
                score=score,
                flagged=True,
                evidence=evidence,
                tagger=self.name,
            )
            for n, (score, evidence) in enumerate(spans)
        ]


def write(path: Path, *lines: dict[str, Any]) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def message(number: int, text: str, *labels: str, platform: str = "github") -> Any:
    return {"id": number, "text": text, "platform": platform, "labels": labels}


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    """Anger is found in 2 of 3 messages, and once where there is none."""
    folder = tmp_path / "gold"
    write(
        folder / "one.jsonl",
        message(1, f"angry, {SECRET}", "anger"),
        message(2, "so angry", "anger", platform="chat"),
        message(3, "furious", "anger", platform="chat"),
        message(4, "I am not angry", platform="chat"),
        message(5, "how nice", "joy"),
    )
    return folder


def judged(
    folder: Path, tagger: Tagger | None = None, *, evidence: bool = False
) -> Result:
    asked = Asked("fake", tagger or FakeTagger())
    return evaluate(folder, asked, evidence=evidence, show_progress=False)


def value(result: Result, figure: str, group: str = "all", label: str = "") -> Any:
    (found,) = [
        f.value
        for f in result.figures
        if (f.figure, f.group, f.label) == (figure, group, label)
    ]
    return found


def test_figures_are_of_all_messages_and_of_each_platform(gold: Path) -> None:
    result = judged(gold)
    assert value(result, "micro_f1") == pytest.approx(4 / 7, abs=1e-5)
    assert value(result, "f1", label="anger") == pytest.approx(2 / 3, abs=1e-5)
    assert value(result, "recall", label="joy") == 0.0
    assert value(result, "precision", label="joy") is None
    assert value(result, "micro_f1", "platform chat") == 0.5
    assert value(result, "micro_f1", "platform github") == pytest.approx(2 / 3, 1e-4)


def test_each_file_of_several_has_its_figures(gold: Path) -> None:
    write(gold / "two.jsonl", message(1, "angry", "anger", platform=""))
    result = judged(gold)
    assert value(result, "micro_f1", "file two") == 1.0
    assert value(result, "micro_f1", "file one") == pytest.approx(4 / 7, abs=1e-5)
    assert result.messages == 6


def test_intervals_hold_the_figure_and_are_the_same_again(gold: Path) -> None:
    first, again = judged(gold), judged(gold)
    assert first.figures == again.figures
    (micro,) = [f for f in first.figures if (f.figure, f.group) == ("micro_f1", "all")]
    assert micro.low is not None
    assert micro.high is not None
    assert micro.value is not None
    assert micro.low < micro.value < micro.high


def test_a_result_holds_no_text(gold: Path) -> None:
    encoded = msgspec.json.encode(judged(gold))
    assert SECRET.encode() not in encoded
    assert b'"line":1,' in encoded


def test_causes_are_scored_by_the_surest_span(tmp_path: Path) -> None:
    folder = tmp_path / "gold"
    cause = {"id": 1, "text": "I am angry at the flaky tests"}
    write(
        folder / "causes.jsonl",
        cause | {"cause": "flaky tests"},
        cause | {"id": 2, "cause": "the flaky tests"},
        {"id": 3, "text": "hm", "cause": "hm"},
    )
    result = judged(folder, CauseTagger())
    assert value(result, "answered") == pytest.approx(2 / 3, abs=1e-5)
    assert value(result, "exact") == pytest.approx(1 / 3, abs=1e-5)
    assert value(result, "token_f1") == pytest.approx((0.8 + 1) / 3, abs=1e-5)


@pytest.fixture
def score(shared_data: Path) -> ModuleType:
    """What acceptance is measured by, where this machine has it."""
    path = shared_data.parent / "score" / "score.py"
    spec = importlib.util.spec_from_file_location("score", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def printed(folder: Path, tagger: Tagger) -> tuple[list[Any], list[Any]]:
    """The gold of the only file of a folder, and what `groundswell tag` prints."""
    (path,) = folder.iterdir()
    lines = path.read_bytes().splitlines()
    said = tag_lines(lines, tagger, every_mark=False)
    return [json.loads(line) for line in lines], [json.loads(line) for line in said]


def test_label_figures_are_those_of_the_acceptance_score(
    gold: Path, score: ModuleType
) -> None:
    result = judged(gold)
    expected = score.score_labels(*printed(gold, FakeTagger()), "basic-emotion")
    assert expected.pop("messages") == 5
    for name, figure in expected.items():
        title, _, label = name.rstrip("]").partition("[")
        assert value(result, title, label=label) == pytest.approx(figure, abs=5e-4)
    assert len(expected) == 4


def test_cause_figures_are_those_of_the_acceptance_score(
    tmp_path: Path, score: ModuleType
) -> None:
    folder = tmp_path / "causes"
    write(
        folder / "causes.jsonl",
        {"id": "1", "text": "mad at the builds, always", "cause": "build"},
        {"id": "2", "text": "mad at waiting", "cause": "we waited for reviews"},
        {"id": "3", "text": "hm", "cause": "hm"},
    )
    result = judged(folder, CauseTagger())
    expected = score.score_cause(*printed(folder, CauseTagger()))
    assert value(result, "answered") == pytest.approx(expected["answered"] / 3, 1e-4)
    for name in ("char_bleu2", "word_bleu2", "token_f1", "exact"):
        assert value(result, name) == pytest.approx(expected[name], abs=5e-4)
        assert expected[name] < 1


def test_the_better_of_two_is_named(gold: Path) -> None:
    lines = [message(n, "angry" if n % 2 else "fine", "anger") for n in range(60)]
    write(gold / "one.jsonl", *lines)

    class Flags(FakeTagger):
        def _marks(self, text: str) -> list[Mark]:
            return super()._marks(f"angry {text}")

    a, b = judged(gold), judged(gold, Flags())
    (row,) = [
        d
        for d in compare(a, b).differences
        if (d.figure, d.group, d.label) == ("micro_f1", "all", "")
    ]
    assert (row.b, row.better) == (1.0, "b")
    assert row.low is not None
    assert row.low > 0.1
    errors = [d for d in compare(b, a).differences if d.figure == "brier"]
    assert {d.better for d in errors} == {"a"}
    shown = render_comparison(compare(a, b))
    assert "B is better" in shown
    assert "basic-emotion, all, 60 messages" in shown


@pytest.mark.parametrize("messages", [1, 19, 20])
def test_of_too_few_messages_no_better_one_is_named(gold: Path, messages: int) -> None:
    lines = [
        message(n, "angry", "anger", platform="a" if n < messages else "b")
        for n in range(60)
    ]
    write(gold / "one.jsonl", *lines)

    class Silent(FakeTagger):
        def _marks(self, _text: str) -> list[Mark]:
            return []

    comparison = compare(judged(gold, Silent()), judged(gold))
    better = {d.better for d in comparison.differences if d.group == "platform a"}
    said = "too few messages to tell" in render_comparison(comparison)
    assert ("b" in better) == (messages == 20)
    assert (better == {"too few messages"}) == said == (messages < 20)


def test_of_two_alike_no_difference_is_shown(gold: Path) -> None:
    lines = [message(n, "angry" if n % 2 else "fine", "anger") for n in range(30)]
    write(gold / "one.jsonl", *lines)
    result = judged(gold)
    comparison = compare(result, result)
    assert {row.better for row in comparison.differences} == {"neither shown"}
    assert "no difference shown" in render_comparison(comparison)


def test_only_files_that_both_saw_are_compared(gold: Path) -> None:
    write(gold / "two.jsonl", message(1, "angry", "anger"))
    before = judged(gold)
    write(gold / "two.jsonl", message(1, "angry again", "anger"))
    comparison = compare(before, judged(gold))
    assert comparison.left_out == ["two (basic-emotion)"]
    assert "only one of them has: two" in render_comparison(comparison)
    (gold / "one.jsonl").unlink()
    with pytest.raises(InputError, match="no file of gold in common"):
        compare(before, judged(gold))


def test_a_result_is_read_as_it_was_written(gold: Path, tmp_path: Path) -> None:
    result = judged(gold)
    path = tmp_path / "result.json"
    path.write_bytes(msgspec.json.encode(result))
    assert read_result(path) == result


def test_what_is_no_result_is_told(gold: Path, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(b'{"tagger": "x"}')
    with pytest.raises(InputError, match=r"result.json is no result"):
        read_result(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_result(tmp_path / "gone.json")
    old = msgspec.structs.replace(judged(gold), version=0)
    path.write_bytes(msgspec.json.encode(old))
    with pytest.raises(InputError, match="another version"):
        read_result(path)


def test_the_table_shows_every_group_and_label(gold: Path) -> None:
    text = render(judged(gold))
    assert "fake-1 (fake): 5 messages" in text
    assert "platform chat" in text
    assert ".571 [" in text
    assert any(line.startswith("joy") and " - " in line for line in text.splitlines())


def test_evidence_is_tested_where_it_is_asked_for(gold: Path) -> None:
    lines = [message(n, f"I feel angry about all {n}", "anger") for n in range(9)]
    write(gold / "one.jsonl", *lines)

    class Points(FakeTagger):
        def _mark(self, label: str, score: float, *, flagged: bool) -> Mark:
            mark = super()._mark(label, score, flagged=flagged)
            return msgspec.structs.replace(mark, evidence=(7, 12))

    result = judged(gold, Points(), evidence=True)
    assert {figure.test for figure in result.evidence} == {
        "comprehensiveness",
        "sufficiency",
    }
    assert "comprehensiveness" in render(result)
    assert judged(gold).evidence == []


def test_a_tagger_is_asked_for_by_name() -> None:
    asked = load_asked("lexicon", TaggingSettings(), suicidality=False)
    assert (asked.name, asked.tagger.name) == ("lexicon", "lexicon-1")
    settings = TaggingSettings(tagger="lexicon")
    assert load_asked(None, settings, suicidality=False).name == "lexicon"


def test_the_encoder_is_named_with_its_tier() -> None:
    assert (
        load_asked("encoder:fast", TaggingSettings(), suicidality=False).name
        == "encoder:fast"
    )
    settings = TaggingSettings(tagger="encoder", tier="full")
    assert load_asked(None, settings, suicidality=False).name == "encoder:full"


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        ("oracle", "'oracle' is no tagger: choose one of lexicon, encoder, "),
        ("encoder:deep", "'deep' is no tier: choose one of fast, balanced, full, "),
        (":deep", "'deep' is no tier: choose one of fast, balanced, full, "),
    ],
)
def test_a_tagger_that_there_is_not_is_told(asked: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        load_asked(asked, TaggingSettings(), suicidality=False)
