"""Set a second encoder beside the first: two that err differently err less together.

python -m pipeline.training.second DATA WHOLE START OUTPUT

DATA is as for `groundswell train`. WHOLE holds the first encoder's weights, START a
second BERT fine-tuned for the same labels, as wide and with the same tokenizer. Its
layers learn to say on the first one's embeddings what they said on their own, so that
it costs half the room. OUTPUT gets second.safetensors, the layers and their heads, for
`pipeline.training.export`.
A training that was stopped goes on where it was.

No text is shown that `pipeline.training.cascade` judges its steps on.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.errors import InputError, exit_code
from pipeline.training.batches import Ints, load_tokenizer, tokenise
from pipeline.training.borrowed import (
    Bert,
    Borrowed,
    Lessons,
    learn,
    pool,
    tensors,
    turn,
    unlike,
)
from pipeline.training.export import SECOND
from pipeline.training.finetune import Training
from pipeline.training.imitated import SEED, Texts, read_texts

LAYERS = 6
RATE = 1e-4
CHATS = 40_000
"""Besides all labelled texts, in which more is felt."""

_FIRST = 6_000
"""Texts that the map of embeddings is first fitted on."""

_LABELS = "heads.json"


class Model(NamedTuple):
    """What is imitated: an encoder in full, and its heads."""

    embeddings: nn.Module
    encoder: nn.Module
    weight: Tensor
    bias: Tensor

    @classmethod
    def load(cls, folder: Path, start: Bert) -> "Model":
        """The one in a folder."""
        model = start.model().eval().requires_grad_(requires_grad=False)
        heads = load_file(folder / "heads.safetensors")
        weight, bias = (heads[name].float() for name in ("weight", "bias"))
        return cls(model.embeddings, model.encoder, weight, bias)

    def pooled(self, ids: Tensor, mask: Tensor) -> Tensor:
        """What it makes of texts, texts x width."""
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            return pool(self.encoder, self.embeddings(input_ids=ids), mask)

    def loss(self, said: Tensor, wanted: Tensor) -> Tensor:
        """Of pooled states, summed over texts: 0 where the heads judge them alike."""
        given, aim = (state @ self.weight.T + self.bias for state in (said, wanted))
        return unlike(given, aim).mean(dim=1).sum()


def choose(texts: Texts) -> Ints:
    """The texts of the one epoch."""
    chats = np.arange(texts.labelled, len(texts.texts))
    some = np.random.default_rng(SEED).permutation(chats)[:CHATS]
    return np.concatenate([np.arange(texts.labelled), np.sort(some)])


def train(
    network: Borrowed, lessons: Lessons, model: Model, training: Training
) -> None:
    """Train, and write the layers down; a training that was stopped goes on."""
    trained = nn.ModuleDict({"turn": network.turn, "encoder": network.encoder})

    def loss(batch: Ints) -> Tensor:
        ids, mask = tensors(lessons.tokens, batch)
        return model.loss(network.pooled(ids, mask), model.pooled(ids, mask))

    checkpoint = learn(training, trained, [(trained, RATE)], lessons, loss)
    network.write(
        training.folder / SECOND,
        {"heads.weight": model.weight, "heads.bias": model.bias},
    )
    checkpoint.remove()


def check_same_labels(whole: Path, start: Path) -> None:
    """Refuse encoders whose heads do not speak for the same labels.

    Raises:
        InputError: they do not.
    """
    if (whole / _LABELS).read_bytes() != (start / _LABELS).read_bytes():
        raise InputError(
            f"{whole} and {start} speak for other labels ({_LABELS}), so their heads "
            "cannot be averaged: train both for the same sets"
        )


def set_beside(data: Path, whole: Path, start: Path, output: Path) -> None:
    """Read, train and write.

    Raises:
        InputError: data are missing, or the encoders speak for other labels.
    """
    check_same_labels(whole, start)
    output.mkdir(parents=True, exist_ok=True)
    texts = read_texts(data)
    tokenizer = load_tokenizer(whole)
    lessons = Lessons(tokenise(tokenizer, texts.texts), choose(texts))
    some = np.random.default_rng(SEED).permutation(len(texts.texts))[:_FIRST]
    first = tokenise(tokenizer, [texts.texts[n] for n in np.sort(some)])
    one, other = Bert.load(whole, 0), Bert.load(start, LAYERS)
    torch.manual_seed(SEED)
    width = int(one.config.hidden_size)
    network = Borrowed(one.model().embeddings, other.model().encoder, width)
    turn(network, one, other, first)
    training = Training("second", start, output, SEED, sys.stderr.isatty())
    train(network, lessons, Model.load(start, other), training)


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("data", "whole", "start", "output"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    return exit_code(
        lambda: set_beside(given.data, given.whole, given.start, given.output)
    )


if __name__ == "__main__":
    sys.exit(main())
