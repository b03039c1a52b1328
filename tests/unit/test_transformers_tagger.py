"""A model of transformers judges one task; everything else stays as it was."""

import os
import pickle
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
from structlog.testing import capture_logs
from tiny_classifier import make_classifier
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    pipeline,
)

from pipeline.config import TaggingSettings
from pipeline.errors import ConfigError
from pipeline.records import Mark
from pipeline.tagger_settings import TransformersSettings
from pipeline.tagging.load import load_tagger
from pipeline.tagging.tagger import Tagger, TextToTag
from pipeline.tagging.transformers_evidence import loudest_words
from pipeline.tagging.transformers_folder import find_model
from pipeline.tagging.transformers_labels import model_faults, our_labels
from pipeline.tagging.transformers_model import MAX_WINDOWS, Classifier

TASK = "basic-emotion"
BASIC = ["Anger", "joy", "neutral"]
LONG = "thanks for your help " * 40


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model whose labels exclude each other, and one whose labels do not."""
    folder = tmp_path_factory.mktemp("models")
    many = {"problem_type": "multi_label_classification"}
    return {
        "single": make_classifier(folder / "single", BASIC),
        "multi": make_classifier(folder / "multi", BASIC, **many),
    }


def settings(folder: Path, **given: Any) -> TaggingSettings:
    own = TransformersSettings(**{"model": str(folder), "base": "lexicon"} | given)
    return TaggingSettings(tagger="transformers", transformers=own)


def loaded(folder: Path, *, suicidality: bool = False, **given: Any) -> Tagger:
    return load_tagger(settings(folder, **given), suicidality=suicidality)


def marks(tagger: Tagger, text: str, language: str | None = "en") -> list[Mark]:
    return tagger.tag([TextToTag(text, language, "github", ())])[0]


def of_task(found: list[Mark], task: str = TASK) -> dict[str, float]:
    return {mark.label: mark.score for mark in found if mark.task == task}


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_it_says_what_transformers_own_pipeline_says(
    folders: dict[str, Path], kind: str
) -> None:
    texts = ["i hate this", "thanks!", "the build is broken again, no?", "yes"]
    classify = pipeline("text-classification", model=str(folders[kind]), top_k=None)
    found = Classifier(folders[kind], threads=1, batch=3).probabilities(texts)
    for text, ours in zip(texts, found, strict=True):
        theirs = {said["label"]: said["score"] for said in classify([text])[0]}
        assert list(ours) == pytest.approx([theirs[x] for x in BASIC], abs=1e-6)


def test_labels_that_exclude_each_other_add_up_to_one_and_others_need_not(
    folders: dict[str, Path],
) -> None:
    single = Classifier(folders["single"], 1, 8).probabilities(["i love this"])
    multi = Classifier(folders["multi"], 1, 8).probabilities(["i love this"])
    assert single.sum() == pytest.approx(1)
    assert multi.sum() != pytest.approx(1)


def test_a_long_text_is_read_in_windows_up_to_a_bound(
    folders: dict[str, Path],
) -> None:
    classifier = Classifier(folders["multi"], 1, 4)
    lengths = [len(window.ids) for window in classifier._windows(0, LONG)]
    assert lengths == [32, 32, 32, 32, 32, 12]
    assert len(list(classifier._windows(0, LONG * 20))) == MAX_WINDOWS
    (whole,) = classifier.probabilities(["thanks " * 60])
    (part,) = classifier.probabilities(["thanks " * 30])
    assert list(whole) == pytest.approx(list(part))


def test_the_model_judges_its_task_alone_and_the_base_every_other(
    folders: dict[str, Path],
) -> None:
    text = "I hate this. Thanks for your help, I can't sleep"
    base = marks(
        load_tagger(TaggingSettings(tagger="lexicon"), suicidality=False), text
    )
    found = marks(loaded(folders["multi"]), text)
    assert set(of_task(found)) == {"anger", "joy"}
    for task in ("fine-emotion", "marker"):
        assert of_task(found, task) == of_task(base, task) != {}
    assert {mark.tagger for mark in found} == {"lexicon-1+multi-1"}


@pytest.mark.parametrize(("text", "language"), [("<3 :(", "en"), ("me alegro", "es")])
def test_what_the_model_is_not_asked_about_the_base_judges(
    folders: dict[str, Path], text: str, language: str
) -> None:
    base = load_tagger(TaggingSettings(tagger="lexicon"), suicidality=False)
    found = marks(loaded(folders["multi"]), text, language)
    assert of_task(found) == of_task(marks(base, text, language))


def test_the_model_reads_the_languages_it_was_made_for(
    folders: dict[str, Path],
) -> None:
    spoken = loaded(folders["multi"], languages=["es"])
    assert set(of_task(marks(spoken, "me alegro", "es"))) == {"anger", "joy"}
    assert set(of_task(marks(spoken, "I hate this", None))) == {"anger", "joy"}
    assert "surprise" in of_task(marks(spoken, "What? I don't understand", "en"))


def test_the_threshold_decides_what_is_flagged(folders: dict[str, Path]) -> None:
    text = "i hate this broken build"
    (best,) = sorted(of_task(marks(loaded(folders["single"]), text)).values())[-1:]
    for threshold in (best, min(1.0, best + 0.001)):
        found = marks(loaded(folders["single"], threshold=threshold), text)
        flagged = [m for m in found if m.task == TASK and m.flagged]
        assert bool(flagged) == (threshold == best)


def test_flagged_marks_point_at_words(folders: dict[str, Path]) -> None:
    text = "  i hate this, broken build!"
    found = marks(loaded(folders["single"], threshold=0.01), text)
    spans = [m.evidence for m in found if m.task == TASK]
    assert any(spans)
    for start, end in filter(None, spans):
        assert text[start:end] == text[start:end].strip() != ""


def test_several_labels_of_the_model_may_mean_one_of_ours(
    folders: dict[str, Path],
) -> None:
    labels = {"Anger": "anger", "joy": "anger", "neutral": ""}
    text = "i hate this"
    apart = of_task(marks(loaded(folders["single"]), text))
    together = of_task(marks(loaded(folders["single"], labels=labels), text))
    assert together["anger"] == pytest.approx(apart["anger"] + apart["joy"], abs=2e-3)
    apart = of_task(marks(loaded(folders["multi"]), text))
    together = of_task(marks(loaded(folders["multi"], labels=labels), text))
    assert together["anger"] == max(apart.values())


def test_what_is_only_counted_is_off_by_default_and_keeps_no_words(
    folders: dict[str, Path],
) -> None:
    given = {
        "task": "marker",
        "labels": {"Anger": "suicidality", "joy": "stress"},
        "threshold": 0.01,
    }
    assert "suicidality" not in of_task(
        marks(loaded(folders["multi"], **given), "no, not again"), "marker"
    )
    found = marks(loaded(folders["multi"], suicidality=True, **given), "no, not again")
    (mark,) = [mark for mark in found if mark.label == "suicidality"]
    assert mark.flagged
    assert mark.evidence is None


def test_it_pickles_as_its_settings_and_a_process_loads_a_model_once(
    folders: dict[str, Path],
) -> None:
    tagger = loaded(folders["multi"])
    pickled = pickle.dumps(tagger)
    assert len(pickled) < 2_000
    again = pickle.loads(pickled)
    assert again._classifier is tagger._classifier
    assert marks(again, "i love this") == marks(tagger, "i love this")


def test_it_never_asks_the_network(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert Classifier(folders["multi"], 1, 1).labels == BASIC
    with pytest.raises(ConfigError, match="run hf download nobody/nothing, or name"):
        find_model("nobody/nothing")
    with pytest.raises(ConfigError, match="neither a folder nor fetched"):
        find_model("/no such/folder")


def test_a_model_that_was_fetched_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    revision = "0" * 40
    cached = tmp_path / "models--some--model"
    (cached / "snapshots" / revision).mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(revision)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert find_model("some/model") == cached / "snapshots" / revision


def test_a_folder_without_a_model_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be loaded \(.*\): fetch its files"):
        Classifier(tmp_path, 1, 1)


def test_a_torn_file_of_weights_is_refused_in_one_sentence(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    torn = shutil.copytree(folders["multi"], tmp_path / "torn")
    weights = (torn / "model.safetensors").read_bytes()
    (torn / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ConfigError, match=r"cannot be loaded \(.*\): fetch its files"):
        Classifier(torn, 1, 1)


def test_a_model_without_the_files_of_its_tokenizer_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    bare = shutil.copytree(folders["multi"], tmp_path / "bare")
    for file in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (bare / file).unlink()
    with pytest.raises(ConfigError, match="knows no word of a plain text: fetch its"):
        Classifier(bare, 1, 1)


def test_a_model_that_gives_no_numbers_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    model = BertForSequenceClassification.from_pretrained(folders["multi"])
    model.classifier.bias.data[0] = float("nan")
    broken = shutil.copytree(folders["multi"], tmp_path / "broken")
    model.save_pretrained(broken)
    with pytest.raises(ConfigError, match=r"gives no numbers \(NaN\) for a plain text"):
        Classifier(broken, 1, 1)


def test_where_a_model_gives_no_number_the_base_judges_and_it_is_logged(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [TextToTag(text, "en", "github", ()) for text in ("I hate it", "I love it")]
    tagger = loaded(folders["multi"])
    whole = tagger.tag(texts)
    said = tagger._classifier.probabilities([text.text for text in texts])
    said[0, 2] = float("nan")
    monkeypatch.setattr(tagger._classifier, "probabilities", lambda _: said)
    with capture_logs() as logs:
        broken, sound = tagger.tag(texts)
    base = load_tagger(TaggingSettings(tagger="lexicon"), suicidality=False)
    assert of_task(broken) == of_task(marks(base, texts[0].text))
    assert sound == whole[1]
    assert [(x["event"], x["messages"]) for x in logs] == [
        ("transformers-not-a-number", 1)
    ]


def test_a_model_that_never_learned_its_labels_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    config = BertConfig.from_pretrained(folders["multi"])
    BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="was not trained to classify texts"):
        Classifier(tmp_path, 1, 1)


def test_a_model_that_gives_numbers_is_refused(
    tmp_path: Path,
) -> None:
    numbers = make_classifier(tmp_path / "n", ["LABEL_0"], problem_type="regression")
    with pytest.raises(ConfigError, match="gives numbers, not labels"):
        Classifier(numbers, 1, 1)


def test_a_tokenizer_that_knows_no_places_gives_no_evidence(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = Classifier(folders["multi"], 1, 1)
    monkeypatch.setattr(type(classifier._tokenizer), "is_fast", False)
    assert classifier.evidence("i hate this", 0) is None


@pytest.mark.parametrize(
    ("theirs", "given", "ours"),
    [
        (["Joy", " ANGER", "no_emotion"], {}, ["joy", "anger", None]),
        (["LABEL_0", "x"], {"LABEL_0": "fear", "x": ""}, ["fear", None]),
        (["joy", "sadness"], {"joy": "love"}, ["love", "sadness"]),
    ],
)
def test_names_that_coincide_need_no_table(
    theirs: list[str], given: dict[str, str], ours: list[str | None]
) -> None:
    assert our_labels(theirs, TransformersSettings(labels=given)) == ours


@pytest.mark.parametrize(
    ("theirs", "given", "stray"),
    [
        (["joy", "Happiness"], {}, "'Happiness'"),
        (["joy", "Happiness"], {"Hapiness": "joy"}, "'Hapiness', 'Happiness'"),
        (["joy"], {"joy": "happiness"}, "'happiness'"),
    ],
)
def test_labels_that_nobody_knows_are_listed_with_both_sides(
    theirs: list[str], given: dict[str, str], stray: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        our_labels(theirs, TransformersSettings(labels=given))
    assert f"labels: {stray} cannot be matched" in str(caught.value)
    assert f"({', '.join(theirs)}) to one of basic-emotion (anger," in str(caught.value)


@pytest.mark.parametrize(
    ("theirs", "given"), [(["neutral"], {}), (["joy", "x"], {"joy": "", "x": ""})]
)
def test_a_model_none_of_whose_labels_is_ours_is_told_so(
    theirs: list[str], given: dict[str, str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        our_labels(theirs, TransformersSettings(labels=given))
    said = "none of them means a label of basic-emotion; map at least one of the model"
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("model", "given", "fault"),
    [
        ("nobody/nothing", {}, "run hf download nobody/nothing"),
        ("", {}, "holds no text-classification model"),
        ("single", {"labels": {"Joy": "joy"}}, "'Joy' cannot be matched"),
        ("single", {"task": "x"}, "'x' is none; set it to one of basic-emotion"),
    ],
)
def test_what_is_wrong_with_a_model_is_known_before_it_is_loaded(
    folders: dict[str, Path], model: str, given: dict[str, Any], fault: str
) -> None:
    folder = folders["single"].parent
    path = model if model.startswith("nobody") else str(folder / model)
    (found,) = model_faults(TransformersSettings(model=path, **given))
    assert fault in found


def test_check_says_it(folders: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "groundswell.toml"
    file.write_text(
        "[tagging]\ntagger = 'transformers'\n[tagging.transformers]\n"
        f"model = '{folders['single']}'\nlabels = {{ Joy = 'joy' }}"
    )
    command = [sys.executable, "-m", "pipeline.cli", "check", "--config", file]
    environ = {**os.environ, "GROUNDSWELL_SECRET": "s" * 32}
    said = subprocess.run(
        command, env=environ, capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr) == (1, "")
    assert "labels: 'Joy' cannot be matched; map each" in said.stdout


def test_an_unknown_task_is_told_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'emotion' is none; set it to one of basic-"):
        our_labels(["joy"], TransformersSettings(task="emotion"))


def test_a_model_has_to_be_named() -> None:
    with pytest.raises(ConfigError, match="model is missing: set it to a folder"):
        load_tagger(TaggingSettings(tagger="transformers"), suicidality=False)


def test_without_its_packages_the_command_that_installs_them_is_named(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pipeline.tagging.transformers_tagger", None)
    with pytest.raises(ConfigError, match=r"pip install groundswell\[transformers\]"):
        loaded(folders["multi"])


@pytest.mark.parametrize(
    ("added", "words"),
    [
        ((0, 0, 5, 0, 0), "awful"),
        ((0, 3, 3, 2, 0), "so awful"),
        ((4, 1, 1, 0, 0), "this"),
        ((-1, 0, 0, 0, 0), None),
        ((0, 0, 0, 0, 9), None),
    ],
)
def test_the_words_that_add_most_are_the_evidence(
    added: tuple[float, ...], words: str | None
) -> None:
    text = "this so awful, (_)"
    places = [(0, 4), (5, 7), (8, 11), (11, 13), (15, 16)]
    place = loudest_words(text, places, added)
    assert (text[slice(*place)] if place else None) == words


def test_of_no_words_none_is_the_loudest() -> None:
    assert loudest_words("", [], []) is None
