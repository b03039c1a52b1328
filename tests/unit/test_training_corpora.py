"""Every set is read as its authors publish it; nobody trains on what is held out."""

from pathlib import Path

import numpy as np
import pytest
from tiny_training import write_data

from pipeline.errors import InputError
from pipeline.tagging.corpora import Corpus
from pipeline.training import calibrate
from pipeline.training.corpora import (
    LabelledSet,
    Output,
    another_fifth,
    held_out,
    read_chats,
    read_sets,
)
from pipeline.training.material import cap, draw_chats, gather


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def sets(data: Path) -> dict[str, LabelledSet]:
    return {each.source.name: each for each in read_sets(data, [])}


def labels(each: LabelledSet, row: int) -> set[str]:
    return {each.outputs[n].label for n in np.flatnonzero(each.targets[row] > 0)}


def test_a_fifth_of_each_set_is_held_out_and_the_whole_dev_part_where_there_is_one(
    sets: dict[str, LabelledSet],
) -> None:
    shares = {name: each.held_out.mean() for name, each in sets.items()}
    assert shares.pop("goemotions") == shares.pop("brighter") == 0.5
    assert set(shares.values()) == {0.2}


def test_the_split_is_that_which_scales_are_fitted_on() -> None:
    sizes = [1_600, 3_840]
    corpora = [Corpus("", frozenset(), [""] * size, []) for size in sizes]
    for ours, theirs in zip(held_out(sizes), calibrate.held_out(corpora), strict=True):
        assert set(np.flatnonzero(ours)) == set(theirs)


def test_leaving_a_set_out_leaves_the_others_split_as_it_was(
    data: Path, sets: dict[str, LabelledSet]
) -> None:
    fewer = read_sets(data, ["github", "dreaddit"])
    assert {each.source.name for each in fewer} == set(sets) - {"github", "dreaddit"}
    for each in fewer:
        assert (each.held_out == sets[each.source.name].held_out).all()


def test_labels_are_read_off_each_format(sets: dict[str, LabelledSet]) -> None:
    angry = 0
    assert labels(sets["github"], angry) == {"anger", "frustration"}
    assert labels(sets["stackoverflow"], angry) == {"anger"}
    assert labels(sets["jira"], angry) == {"anger"}
    assert labels(sets["incivility"], angry) == {"Impatience", "any"}
    assert labels(sets["goemotions"], angry) == {"disgust"}
    assert labels(sets["xed"], angry) == {"anger"}
    assert labels(sets["dreaddit"], angry) == set()
    assert labels(sets["dreaddit"], 2) == {"stress"}


def test_an_intensity_of_two_in_three_is_two_thirds_of_a_yes(
    sets: dict[str, LabelledSet],
) -> None:
    assert sets["brighter"].targets.max() == pytest.approx(2 / 3)


def test_a_rare_or_misspelt_label_of_an_open_list_is_no_output_of_its_own(
    tmp_path: Path,
) -> None:
    data = write_data(tmp_path)
    path = data / "emotion" / "se_github_train.csv"
    text = path.read_text().replace("None,-", "Opitmism,Melancholy", 5)
    path.write_text(text.replace("None,-", "Optimism,-", 20))
    (github, *_) = read_sets(data, [])
    secondary = {o.label for o in github.outputs if o.task.startswith("secondary")}
    assert secondary == {"frustration", "optimism"}


def test_a_text_that_jira_asked_one_question_of_is_unknown_for_the_others(
    tmp_path: Path,
) -> None:
    data = write_data(tmp_path)
    with (data / "emotion" / "jira_joy_train.csv").open("a") as file:
        file.write("asked for joy alone,1\nnobody knows,\n")
    jira = next(each for each in read_sets(data, []) if each.source.name == "jira")
    assert jira.texts[-1] == "asked for joy alone"
    assert np.isnan(jira.targets[-1]).sum() == 3


def test_a_missing_file_is_named_and_how_to_do_without_it(tmp_path: Path) -> None:
    data = write_data(tmp_path)
    (data / "emotion" / "xed_en.tsv").unlink()
    with pytest.raises(InputError, match=r"xed_en\.tsv is not there: .*--without xed"):
        read_sets(data, [])
    assert len(read_sets(data, ["xed"])) == 7
    (data / "streams" / "ubuntu_irc.jsonl.gz").unlink()
    with pytest.raises(InputError, match="--without ubuntu_irc"):
        read_chats(data, [])


def test_a_file_of_another_format_is_named_by_its_set(tmp_path: Path) -> None:
    data = write_data(tmp_path)
    path = data / "mental_health" / "dreaddit_train.csv"
    path.write_text("text,stress\nso much,1\n")
    with pytest.raises(InputError, match=r"set dreaddit .* not as its authors"):
        read_sets(data, [])
    stream = data / "streams" / "slack_dev_chat.jsonl.gz"
    stream.write_bytes(b"no gzip")
    with pytest.raises(InputError, match=r"slack_dev_chat.* cannot be read"):
        read_chats(data, [])


def test_of_equal_messages_the_first_is_kept_and_of_leftout_streams_none(
    data: Path,
) -> None:
    chats = read_chats(data, ["gitter_dev_chat", "slack_dev_chat"])
    assert len(chats) == len({chat.text for chat in chats}) == 90
    assert {chat.id.split("-")[0] for chat in chats} == {"duraspace_irc", "ubuntu_irc"}
    assert draw_chats(chats, 10, 1) == draw_chats(chats, 10, 1) != chats[:10]
    assert draw_chats(chats, None, 1) == chats


def test_a_text_that_is_held_out_anywhere_is_learned_nowhere(tmp_path: Path) -> None:
    data = write_data(tmp_path)
    sets = read_sets(data, [])
    spare = next(t for n, t in enumerate(sets[0].texts) if sets[0].held_out[n])
    with (data / "emotion" / "xed_en.tsv").open("a") as file:
        file.write(f"{spare}\t1\n")
    sets = read_sets(data, [])
    material = gather(sets, None, 1)
    judges = {
        t for s in sets for t, held in zip(s.texts, s.held_out, strict=True) if held
    }
    assert spare in judges
    assert not judges.intersection(material.texts)
    assert len(material.texts) == 8 * 90 - 6 * 18


def test_all_sets_labels_stand_in_one_table_unknown_where_nobody_looked(
    sets: dict[str, LabelledSet],
) -> None:
    material = gather(list(sets.values()), None, 1)
    row = next(n for n, name in enumerate(material.names) if "overflow/" in name)
    columns = np.flatnonzero(~np.isnan(material.labels[row]))
    known = {material.outputs[column].task for column in columns}
    assert known == {"basic-emotion on Stack Overflow"}
    assert Output("fine-emotion", "joy") in material.outputs


def test_a_subset_takes_from_the_large_sets_first(
    sets: dict[str, LabelledSet],
) -> None:
    assert cap([10, 20, 100], 60) == 30
    assert cap([10, 20, 100], 1_000) == 100
    assert cap([], 5) == 0
    material = gather(list(sets.values()), 80, 1)
    assert len(material.texts) == 80
    again = gather(list(sets.values()), 80, 1)
    assert material.names == again.names != gather(list(sets.values()), 80, 2).names


def test_small_sets_are_shown_more_often(sets: dict[str, LabelledSet]) -> None:
    material = gather(list(sets.values()), None, 1)
    shown = material.repeated(np.ones(len(material.texts), dtype=bool))
    counts = np.bincount(material.numbers[shown]) / np.bincount(material.numbers)
    assert dict(zip(sets, counts, strict=True))["github"] == 4
    assert dict(zip(sets, counts, strict=True))["goemotions"] == 1


def test_each_teacher_leaves_out_a_fifth_of_its_own(
    sets: dict[str, LabelledSet],
) -> None:
    held = sets["github"].held_out
    first, second = another_fifth(held, 1), another_fifth(held, 2)
    assert first.sum() == second.sum() == 18
    assert not (first & held).any()
    assert (first != second).any()
    material = gather(list(sets.values()), None, 1)
    left_out = material.left_out(1)
    assert left_out[: (material.numbers == 0).sum()].sum() == 18


def test_the_real_sets_are_read_whole(shared_data: Path) -> None:
    sizes = {e.source.name: len(e.texts) for e in read_sets(shared_data, [])}
    assert sizes["github"] == 1_600
    assert sizes["stackoverflow"] == 3_840
    assert sizes["goemotions"] == 43_410 + 5_426
    assert sizes["incivility"] == 2_959
    assert len(read_chats(shared_data, [])) == 377_201
