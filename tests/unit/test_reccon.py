"""Causes in dialogues, learned from made-up ones in RECCON's form."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from structlog.testing import capture_logs
from tiny_training import write_base

from pipeline.errors import InputError
from pipeline.training import finetune, reccon, reccon_network
from pipeline.training.batches import load_tokenizer
from pipeline.training.finetune import Plan, Training
from pipeline.training.options import Options
from pipeline.training.reccon import train
from pipeline.training.reccon_data import Candidate, Target, draw, read_targets
from pipeline.training.reccon_figures import (
    Answer,
    binary_f1,
    itself,
    measure,
    measure_types,
    nothing,
    token_f1,
)
from pipeline.training.reccon_network import (
    best_span,
    find_causes,
    frame,
    load_reader,
    train_reader,
)

QUICK = Plan(epochs=2, rate=1e-3, tokens=4_096)
THOROUGH = Plan(epochs=60, rate=2e-3, tokens=4_096)
CALM = "the function takes a list"
THINGS = ("parser", "server", "branch", "release", "test")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums are the same from run to run on the same number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("base"))


def turn(number: int, said: str, emotion: str = "neutral", **more: object) -> dict:
    speaker = "AB"[number % 2]
    said_so = {"turn": number, "speaker": speaker, "utterance": said}
    return {**said_so, "emotion": emotion, **more}


def why(*causes: tuple[int | str, str], types: tuple[str, ...] = ()) -> dict:
    return {
        "expanded emotion cause evidence": [number for number, _ in causes],
        "expanded emotion cause span": [span for _, span in causes],
        "type": list(types),
    }


def dialogue(thing: str) -> list[dict]:
    """Somebody breaks something, somebody else is furious."""
    broken = f"it breaks the {thing} again"
    return [
        turn(1, CALM),
        turn(2, f"sorry {broken}"),
        turn(3, CALM),
        turn(
            4,
            "this makes me furious",
            "anger",
            **why((2, broken), types=("self-contagion",)),
        ),
        turn(5, CALM),
        turn(
            6,
            f"wow the {thing} works",
            "surprise",
            **why((6, f"the {thing} works"), types=("no-context",)),
        ),
    ]


def write(folder: Path, split: str, *dialogues: list[dict]) -> Path:
    path = folder / "cause" / f"reccon_{split}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    named = {f"{split}_{n}": [each] for n, each in enumerate(dialogues)}
    path.write_text(json.dumps(named), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write(folder, "train", *(dialogue(thing) for thing in THINGS * 8))
    return write(folder, "valid", dialogue("parser"), dialogue("test"))


def spans(target: Target) -> list[list[str]]:
    return [[each.text[slice(*s)] for s in each.spans] for each in target.candidates]


def test_a_target_has_itself_and_what_was_said_before_as_candidates(
    tmp_path: Path,
) -> None:
    folder = write(tmp_path, "valid", dialogue("parser"))
    anger, surprise = read_targets(folder, "valid")
    assert (anger.emotion, anger.types) == ("anger", ("self-contagion",))
    assert [each.text for each in anger.candidates] == [
        "this makes me furious",
        CALM,
        "sorry it breaks the parser again",
        CALM,
    ]
    assert [each.of_target for each in anger.candidates] == [True, False, True, False]
    assert spans(anger) == [[], [], ["it breaks the parser again"], []]
    assert len(surprise.candidates) == 6


def test_causes_that_lie_ahead_or_outside_are_none_of_any_candidate(
    tmp_path: Path,
) -> None:
    causes = why((1, "so sad"), (1, "sad"), (2, "later"), ("b", "outside"))
    said = [turn(1, "i am so sad", "sadness", **causes), turn(2, "later")]
    (target,) = read_targets(write(tmp_path, "train", said), "train")
    assert spans(target) == [["so sad", "sad"]]


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ([turn(1, "sad", "sadness", **why((1, "glad")))], "turn 1: a span does not"),
        ([turn(1, "sad", "sadness", **why((0, "sad")))], "does not stand in turn 0"),
        ([turn(1, "sad", "sadness", **why((1, "")))], "does not stand in turn 1"),
        (
            [turn(1, "sad", "sadness", **{"expanded emotion cause evidence": [1]})],
            "as many spans as evidence",
        ),
        ([{"turn": 1}], r"not in RECCON's form .*speaker"),
        ([turn(1, "calm")], "no utterance with an emotion"),
    ],
)
def test_data_that_is_not_in_its_form_is_one_sentence(
    tmp_path: Path, said: list[dict], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        read_targets(write(tmp_path, "train", said), "train")


@pytest.mark.parametrize("content", [b"{", b'{"x": [[{"turn": "\xff"}]]}', b"[]"])
def test_a_broken_file_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, "train") / "cause" / "reccon_train.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match="not in RECCON's form"):
        read_targets(tmp_path, "train")


def test_a_subset_is_drawn_by_the_seed_and_keeps_the_order(data: Path) -> None:
    targets = read_targets(data, "train")
    drawn = draw(targets, 5, seed=1)
    assert len(drawn) == 5
    assert drawn == draw(targets, 5, seed=1) != draw(targets, 5, seed=2)
    assert draw(targets, 1_000, seed=1) == draw(targets, None, seed=1) == targets


def test_words_are_compared_without_case_punctuation_and_articles() -> None:
    assert token_f1("The build broke !", "a build, broke") == 1
    assert token_f1("the build broke", "build") == pytest.approx(2 / 3)
    assert token_f1("build build", "build") == pytest.approx(2 / 3)
    assert token_f1("build", "") == token_f1("", "build") == 0
    assert token_f1("", "") == 1


def target(*candidates: tuple[str, tuple[tuple[int, int], ...]]) -> Target:
    parts = [Candidate(text, of_target=True, spans=spans) for text, spans in candidates]
    return Target("anger", tuple(parts), ("hybrid", "latent"))


TWO = [
    target(("one two", ((0, 3), (4, 7))), ("three", ()), ("four", ())),
    target(("five six", ((0, 8),)), ("seven", ())),
]
SAID = [
    [Answer(True, "one"), Answer(False, ""), Answer(True, "four")],
    [Answer(False, ""), Answer(False, "")],
]


def test_figures_are_over_pairs_and_over_those_with_a_cause() -> None:
    figures = measure(TWO, SAID)
    assert (figures.targets, figures.spans) == (2, 3)
    # The spans: 1, 0 and 0; the three that are none: 1, 0 and 1.
    assert figures.span_f1 == pytest.approx(3 / 6)
    assert figures.span_f1_causes == figures.exact_causes == pytest.approx(1 / 3)
    assert figures.none_f1 == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert figures.cause_f1 == pytest.approx(2 / 4)
    assert figures.other_f1 == pytest.approx(4 / 6)
    assert figures.macro_f1 == pytest.approx((2 / 4 + 4 / 6) / 2)
    assert binary_f1([]) == 0


def test_simple_answers_have_figures_too() -> None:
    none, whole = measure(TWO, nothing(TWO)), measure(TWO, itself(TWO))
    assert (none.span_f1, none.span_f1_causes, none.cause_f1) == (0.5, 0, 0)
    assert whole.macro_f1 == 1
    assert whole.exact_causes == pytest.approx(1 / 3)


def test_a_target_counts_for_each_of_its_types() -> None:
    assert list(measure_types(TWO, SAID)) == ["hybrid", "latent"]
    assert measure_types(TWO, SAID)["latent"] == measure(TWO, SAID)


def test_the_window_keeps_the_latest_and_knows_the_spans(
    base: Path, data: Path
) -> None:
    anger = read_targets(data, "valid")[0]
    tokenizer = load_tokenizer(base)
    framing = frame(tokenizer, [anger], 192)
    ids = framing.tokens.flat
    assert ids[0] == 2
    assert len(framing.framed[0]) == 4
    starts = [each.places.start for each in framing.framed[0]]
    assert list(ids[[*starts, -1]]) == [3] * 5
    cause = framing.framed[0][2]
    # Behind the [SEP] stands "sorry".
    assert cause.marked == [(2, 6)]
    assert framing.kinds.flat[cause.places].tolist() == [1] * 7
    assert len(ids) == framing.framed[0][3].places.stop + 1
    short = frame(tokenizer, [anger], 12)
    assert [each.number for each in short.framed[0]] == [0]
    cut = frame(tokenizer, [anger], 6)
    assert len(cut.tokens.flat) == 6
    assert len(cut.framed[0][0].offsets) == 3


def test_a_span_that_was_cut_off_is_not_looked_for(base: Path) -> None:
    said = target(("this makes me furious and angry", ((22, 31),)))
    framing = frame(load_tokenizer(base), [said], 6)
    assert framing.framed[0][0].marked == [(0, 0)]


def test_the_best_span_does_not_end_before_it_starts() -> None:
    sides = np.array([[0, 0], [1, 5], [5, 1], [0, 2]], np.float32)
    assert best_span(sides) == (2, 3)
    assert best_span(np.array([[9, 9], [1, 1]], np.float32)) == (0, 0)
    # The [SEP] is no start of a span that has words.
    assert best_span(np.array([[9, -9], [1, 3]], np.float32)) == (1, 1)


def learn(base: Path, data: Path, folder: Path, seed: int = 1) -> dict:
    training = Training("test", base, folder, seed, shown=False)
    train_reader(training, read_targets(data, "train")[:40], QUICK)
    return load_file(folder / "model.safetensors")


def same(one: dict, other: dict) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_same_seed_gives_the_same_network(
    base: Path, data: Path, tmp_path: Path
) -> None:
    first = learn(base, data, tmp_path / "first")
    assert same(first, learn(base, data, tmp_path / "again"))
    assert not same(first, learn(base, data, tmp_path / "other", seed=2))


def test_a_training_that_was_stopped_ends_as_if_it_had_not_been(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step: Callable[..., float] = reccon_network._step
    done: list[float] = []

    def stopped(*given: object) -> float:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(step(*given))
        return done[-1]

    with monkeypatch.context() as patch:
        patch.setattr(finetune, "CHECKPOINT_S", 0.0)
        patch.setattr(reccon_network, "_step", stopped)
        with pytest.raises(KeyboardInterrupt):
            learn(base, data, tmp_path / "stopped")
    assert (tmp_path / "stopped" / "checkpoint.safetensors").is_file()
    with capture_logs() as lines:
        resumed = learn(base, data, tmp_path / "stopped")
    assert lines[0]["done"] == 3
    assert not (tmp_path / "stopped" / "checkpoint.safetensors").exists()
    assert same(resumed, learn(base, data, tmp_path / "whole"))


@pytest.fixture(scope="module")
def trained(base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("trained")
    train(Options(data=data, base=base), output, THOROUGH, shown=False)
    return output


def test_a_network_learns_what_caused_an_emotion(trained: Path, data: Path) -> None:
    judged = read_targets(data, "valid")
    said = find_causes(trained, judged)
    figures = measure(judged, said)
    assert figures.span_f1_causes > 0.9
    assert figures.macro_f1 > 0.9
    assert said[0][2] == Answer(is_cause=True, span="it breaks the parser again")


def test_what_does_not_fit_into_the_window_is_no_cause(
    trained: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reccon_network, "WINDOW", 12)
    anger = read_targets(data, "valid")[:1]
    (said,) = find_causes(trained, anger)
    assert said[1:] == nothing(anger)[0][1:]


def test_the_card_says_that_the_weights_never_ship_and_what_they_reach(
    trained: Path,
) -> None:
    card = (trained / "README.md").read_text(encoding="utf-8")
    assert "For research only. Do not ship these weights" in card
    assert "| this network | 4 | 4 |" in card
    assert "| no cause at all | 4 | 4 | 80.0 | 0.0 |" in card
    assert "| self-contagion | 2 |" in card
    assert "75.7" in card


def test_what_is_trained_is_judged_without_training_again(
    base: Path, data: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reccon, "train_reader", None)
    again = train(Options(data=data, base=base), trained, THOROUGH, shown=False)
    assert again == (trained / "README.md").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="other options"):
        train(Options(data=data, base=base, seed=2), trained, THOROUGH, shown=False)


def test_a_base_that_tells_no_types_of_tokens_apart_is_one_sentence(
    base: Path, tmp_path: Path
) -> None:
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    held = load_file(base / "model.safetensors")
    kinds = "embeddings.token_type_embeddings.weight"
    held[kinds] = held[kinds][:1].clone()
    config["type_vocab_size"] = 1
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(held, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match="two types of tokens"):
        load_reader(tmp_path)


def run(patch: pytest.MonkeyPatch, *arguments: object) -> int:
    patch.setattr("sys.argv", ["reccon", *map(str, arguments)])
    return reccon.main()


def test_the_command_trains_and_says_what_it_may_not_be_used_for(
    base: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = (data, tmp_path, "--base", base, "--subset", 10)
    assert run(monkeypatch, *given) == 0
    said = capsys.readouterr()
    assert "| this network | 4 | 4 |" in said.out
    assert "10 targets" in said.out
    assert "For research only" in said.err


def test_a_command_that_cannot_be_done_is_one_sentence(
    base: Path,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def complaint(*arguments: object) -> str:
        assert run(monkeypatch, *arguments) == 1
        return capsys.readouterr().err.splitlines()[-1]

    there = ("--base", base)
    assert "cannot be read" in complaint(tmp_path, tmp_path, *there)
    assert "is not there" in complaint(data, tmp_path, "--base", tmp_path)
    assert "at least 1" in complaint(data, tmp_path, *there, "--subset", 0)


def test_the_real_data_gives_the_pairs_that_the_paper_counts(
    shared_data: Path,
) -> None:
    counts = {"train": (7_269, 20_646), "valid": (347, 838)}
    for split, (causes, others) in counts.items():
        found = [c for t in read_targets(shared_data, split) for c in t.candidates]
        assert sum(len(each.spans) for each in found) == causes
        assert sum(not each.spans for each in found) == others
