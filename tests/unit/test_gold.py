import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError
from pipeline.evaluation.gold import GoldFile, read_folder

SAD = {"id": "1", "text": "oh no", "labels": ["sadness"]}


def folder(path: Path, name: str, *lines: dict[str, Any] | str) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (path / name).write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return path


def only(path: Path, name: str, *lines: dict[str, Any] | str) -> GoldFile:
    (file,) = read_folder(folder(path, name, *lines))
    return file


def test_a_line_may_name_its_task(tmp_path: Path) -> None:
    file = only(tmp_path, "a.jsonl", SAD | {"task": "fine-emotion"})
    assert [line.task for line in file.lines] == ["fine-emotion"]


def test_a_file_may_be_named_after_its_task(tmp_path: Path) -> None:
    file = only(tmp_path, "fine-emotion.reddit.jsonl", SAD)
    assert file.name == "fine-emotion.reddit"
    assert [line.task for line in file.lines] == ["fine-emotion"]


def test_else_the_labels_tell_the_task(tmp_path: Path) -> None:
    neutral = {"id": "2", "text": "ok", "labels": ["neutral"]}
    folder(tmp_path, "a.jsonl", SAD)
    folder(tmp_path, "b.jsonl", SAD, neutral)
    folder(tmp_path, "c.jsonl", {"id": 1, "text": "help", "labels": ["stress"]})
    tasks = [{line.task for line in file.lines} for file in read_folder(tmp_path)]
    assert tasks == [{"basic-emotion"}, {"fine-emotion"}, {"marker"}]


def test_a_message_without_labels_is_judged_too(tmp_path: Path) -> None:
    calm = {"id": "2", "text": "fine", "labels": []}
    file = only(tmp_path, "a.jsonl", SAD, "", calm)
    assert [(line.number, line.labels) for line in file.lines] == [
        (1, frozenset({"sadness"})),
        (3, frozenset()),
    ]


def test_a_line_may_have_labels_and_a_cause(tmp_path: Path) -> None:
    file = only(tmp_path, "a.jsonl", SAD | {"cause": "no"})
    tasks = [(line.task, line.cause) for line in file.lines]
    assert tasks == [("basic-emotion", None), ("cause-span", "no")]


def test_the_digest_changes_with_the_file(tmp_path: Path) -> None:
    first = only(tmp_path, "a.jsonl", SAD).digest
    assert only(tmp_path, "a.jsonl", SAD).digest == first
    assert only(tmp_path, "a.jsonl", SAD | {"text": "oh no!"}).digest != first


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["nonsense"], r"a.jsonl line 1: JSON is malformed"),
        ([SAD, '{"id": "2", "labels": []}'], r"a.jsonl line 2: .* field `text`"),
        (['{"id": true, "text": "secret", "labels": []}'], r"line 1: Expected"),
        ([{"id": "1", "text": "x"}], "line 1 has no gold: give it 'labels' or"),
        ([SAD, "", SAD], "line 3 has the id of line 1: give it another"),
        ([SAD | {"labels": []}], "a.jsonl has no gold labels of basic-emotion"),
        ([], "a.jsonl has no gold labels: there is nothing to score"),
        ([SAD | {"labels": ["gloom"]}], "line 1: no task knows .* 'gloom'"),
        (
            [SAD | {"labels": ["gloom"], "task": "basic-emotion"}],
            "line 1: 'gloom' is no label of basic-emotion",
        ),
        ([SAD | {"task": "mood"}], "line 1: 'mood' is no task of labels.toml: choose"),
    ],
)
def test_bad_gold_is_one_sentence_that_names_the_line(
    tmp_path: Path, lines: list[dict[str, Any] | str], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        read_folder(folder(tmp_path, "a.jsonl", *lines))
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"id": "1", "text": "\xff", "labels": []}')
    with pytest.raises(InputError, match=r"line 1 is not UTF-8"):
        read_folder(tmp_path)


def test_a_folder_must_hold_gold(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \*.jsonl"):
        read_folder(tmp_path)
    with pytest.raises(InputError, match="is no folder"):
        read_folder(tmp_path / "gone")
    (tmp_path / "a.jsonl").mkdir()
    with pytest.raises(InputError, match=r"holds no \*.jsonl"):
        read_folder(tmp_path)
    (tmp_path / "b.jsonl").symlink_to("gone")
    with pytest.raises(InputError, match=r"b\.jsonl cannot be read"):
        read_folder(tmp_path)


def test_a_folder_that_is_named_like_a_file_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "dir.jsonl").mkdir()
    assert only(tmp_path, "a.jsonl", SAD).name == "a"


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = folder(tmp_path, "a.jsonl", SAD) / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    (file,) = read_folder(tmp_path)
    assert file.lines[0].raw == json.dumps(SAD).encode()


@pytest.mark.parametrize("cause", ["", " ", "..."])
def test_a_message_in_which_no_cause_is_named_is_not_scored_for_it(
    tmp_path: Path, cause: str
) -> None:
    other = {"id": 2, "text": "oh no", "cause": cause}
    file = only(tmp_path, "a.jsonl", SAD | {"cause": cause}, other)
    assert [(line.number, line.task) for line in file.lines] == [(1, "basic-emotion")]
    with pytest.raises(InputError, match="no gold labels"):
        only(tmp_path, "a.jsonl", other)
