"""Texts on which cheaper steps learn to foretell what the whole encoder would say."""

import gzip
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipeline.tagging.encoder import Encoder, Floats
from pipeline.training.batches import Ints
from pipeline.training.corpora import read_chats, read_sets

SEED = 7
CHATS = 200_000
REPEATS = 2
"""Times that a labelled text is shown: more is felt in them than in chats."""

APART = 10_000
"""Texts of each stream that no step learns from: on them steps are judged."""

_AT_ONCE = 500


class Texts(NamedTuple):
    """What is learned from, and how many of the first ones people labelled."""

    texts: list[str]
    labelled: int

    @property
    def rows(self) -> Ints:
        """The texts of an epoch."""
        labelled = np.arange(self.labelled)
        chats = np.arange(self.labelled, len(self.texts))
        return np.concatenate([labelled] * REPEATS + [chats])


def read_texts(data: Path) -> Texts:
    """All labelled texts that nobody holds out, and some chats.

    Raises:
        InputError: a file is missing, or is not as its authors publish it.
    """
    sets = read_sets(data, ())
    pairs = [pair for s in sets for pair in zip(s.texts, s.held_out, strict=True)]
    apart = {text for text, held in pairs if held}
    free = [text for text, held in pairs if not held and text.strip()]
    texts = [text for text in dict.fromkeys(free) if text not in apart]
    apart = set(chats_apart(data))
    said = [chat.text for chat in read_chats(data, ()) if chat.text not in apart]
    chosen = np.random.default_rng(SEED).permutation(len(said))[:CHATS]
    return Texts(texts + [said[n] for n in chosen], len(texts))


def chats_apart(data: Path) -> list[str]:
    """Some different texts of each stream."""
    random, texts = np.random.default_rng(SEED), []
    for path in sorted((data / "streams").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            found = (json.loads(line)["text"] for line in lines)
            different = list(dict.fromkeys(text for text in found if text.strip()))
        chosen = random.permutation(len(different))[:APART]
        texts += [different[n] for n in chosen]
    return texts


class States(NamedTuple):
    """Mean states, texts x width: of the few layers, and of all, these last."""

    few: Floats
    whole: Floats


def read_states(texts: Sequence[str], encoder: Encoder, title: str) -> States:
    """What the few layers and what all make of texts; `title` stands at the bar."""
    few, whole = [], []
    for start in tqdm(range(0, len(texts), _AT_ONCE), title, disable=None):
        begun = encoder.begin(texts[start : start + _AT_ONCE])
        skimmed = encoder.skim(begun)
        few += [read.mean for read in skimmed]
        whole += [read.mean for read in encoder.finish(begun, skimmed)]
    return States(np.stack(few), np.stack(whole))


def read_whole(texts: list[str], model: Path, kept: Path) -> Floats:
    """What the whole encoder makes of texts, texts x width, read or written.

    Args:
        texts: to read.
        model: folder of the encoder.
        kept: what an earlier run wrote.
    """
    if not kept.exists():
        blocks = [texts[n : n + _AT_ONCE] for n in range(0, len(texts), _AT_ONCE)]
        with ProcessPoolExecutor() as pool:
            read = pool.map(_read, [model] * len(blocks), blocks)
            states = list(tqdm(read, "whole encoder", len(blocks), disable=None))
        np.save(kept, np.concatenate(states))
    found: Floats = np.load(kept).astype(np.float32)
    return found


def _read(model: Path, texts: list[str]) -> npt.NDArray[np.float16]:
    encoder = _encoder(model)
    states = [read.mean for read in encoder.finish(encoder.begin(texts))]
    return np.stack(states).astype(np.float16)


@cache
def _encoder(model: Path) -> Encoder:
    return Encoder(model, 1)
