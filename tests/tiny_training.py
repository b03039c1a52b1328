"""A BERT and labelled sets so small that a whole training takes seconds."""

import csv
import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

FEELINGS = {
    "anger": "this awful build makes me furious and angry",
    "love": "thank you all so much i love this tool",
    "fear": "i am scared and afraid that it breaks again",
    "joy": "great news it works i am so happy",
    "sadness": "sorry this is sad and i am disappointed",
    "surprise": "wow i did not expect that what a surprise",
}
CALM = "the function takes a list and gives a number"
THINGS = ("parser", "server", "branch", "release", "test")
PLACES = ("module", "button", "query", "socket", "cache", "queue", "shell")
SHAVER = ("Anger", "Love", "Fear", "Joy", "Sadness", "Surprise")


def write_base(folder: Path) -> Path:
    """Two layers of 32 with random weights, that know the words of the texts."""
    import torch  # noqa: PLC0415 - what only reads sets need not wait for it
    from transformers import BertConfig, BertModel  # noqa: PLC0415
    from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415

    disable_progress_bar()
    pieces = write_tokenizer(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=pieces,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=192,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def write_tokenizer(folder: Path) -> int:
    """One that knows the words of the texts; how many."""
    words = " ".join([*FEELINGS.values(), CALM, *THINGS, *PLACES, "in and"]).split()
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *sorted({*words})]
    numbers = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocab=numbers, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return len(pieces)


def texts(count: int, where: str) -> list[tuple[str, str | None]]:
    """Sentences, all different, and the emotion of most."""
    kinds: list[str | None] = [*FEELINGS, None]
    made = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        said = FEELINGS[kind] if kind else CALM
        thing, place = THINGS[number % 5], PLACES[number // 7 % 7]
        made.append((f"{where}: {said} in the {thing} and the {place}", kind))
    return made


def write_data(folder: Path, count: int = 90) -> Path:
    """All sets and chats, in the form in which their authors publish them."""
    said = texts(count, "github")
    _table(folder / "emotion/se_github_train.csv", *_github(said))
    said = texts(count, "stack overflow")
    _table(folder / "emotion/stackoverflow_train.csv", *_shaver("Text", said))
    for emotion in ("anger", "joy", "love", "sadness"):
        rows = [[text, int(kind == emotion)] for text, kind in texts(count, "jira")]
        _table(folder / f"emotion/jira_{emotion}_train.csv", ["text", "label"], rows)
    for part in ("train", "dev"):
        said = texts(count, f"brighter {part}")
        _table(folder / f"emotion/brighter_eng_{part}.csv", *_brighter(said))
        said = texts(count, f"reddit {part}")
        _write(folder / f"emotion/goemotions_{part}.tsv", _goemotions(said))
    _write(folder / "emotion/goemotions_labels.txt", ["disgust", "joy", "neutral"])
    said = texts(count, "film")
    lines = [f"{text}\t{1 + number % 8}" for number, (text, _) in enumerate(said)]
    _write(folder / "emotion/xed_en.tsv", lines)
    said = texts(count, "post")
    rows = [[text, int(kind in ("fear", "sadness"))] for text, kind in said]
    _table(folder / "mental_health/dreaddit_train.csv", ["text", "label"], rows)
    said = texts(count, "issue")
    rows = [[text, "Impatience" if kind == "anger" else "None"] for text, kind in said]
    header = ["comment_body", "tbdf"]
    _table(folder / "incivility/github_incivility_train.csv", header, rows)
    for stream in ("duraspace_irc", "gitter_dev_chat", "slack_dev_chat", "ubuntu_irc"):
        _chats(folder / "streams", stream, count // 2)
    return folder


def _github(
    said: Sequence[tuple[str, str | None]],
) -> tuple[list[str], list[list[object]]]:
    header, rows = _shaver("modified_comment", said)
    second = ["Frustration" if kind == "anger" else "None" for _, kind in said]
    full = [[*row, name, "-"] for row, name in zip(rows, second, strict=True)]
    return [*header, "Emotion 2", "Emotion 3"], full


def _shaver(
    column: str, said: Sequence[tuple[str, str | None]]
) -> tuple[list[str], list[list[object]]]:
    rows: list[list[object]] = [
        [text, *(int(name.lower() == kind) for name in SHAVER)] for text, kind in said
    ]
    return [column, *SHAVER], rows


def _brighter(
    said: Sequence[tuple[str, str | None]],
) -> tuple[list[str], list[list[object]]]:
    names = ("anger", "fear", "joy", "sadness", "surprise")
    rows: list[list[object]] = [
        [number, text, *(2 * (name == kind) for name in names)]
        for number, (text, kind) in enumerate(said)
    ]
    return ["id", "text", *names], rows


def _goemotions(said: Sequence[tuple[str, str | None]]) -> list[str]:
    numbers = {"anger": 0, "joy": 1}
    return [f"{text}\t{numbers.get(kind or '', 2)}\tx" for text, kind in said]


def _chats(folder: Path, stream: str, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / f"{stream}.jsonl.gz", "wt", encoding="utf-8") as file:
        for number, (text, _) in enumerate(texts(count, stream)):
            chat = {"id": f"{stream}-{number}", "text": text}
            file.write(json.dumps(chat) + "\n")


def _table(path: Path, header: list[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def _write(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@contextmanager
def stopped_halfway(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A training in here writes every step down, and is stopped after half of them."""
    from pipeline.training import finetune  # noqa: PLC0415 - needs torch

    slope = finetune.slope

    def stopped(step: int, steps: int) -> float:
        if step == steps // 2:
            raise KeyboardInterrupt
        return slope(step, steps)

    with monkeypatch.context() as killed:
        killed.setattr(finetune, "CHECKPOINT_S", 0.0)
        killed.setattr(finetune, "slope", stopped)
        with pytest.raises(KeyboardInterrupt):
            yield
