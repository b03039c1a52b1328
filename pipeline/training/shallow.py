"""Train a few layers to foretell the whole encoder: a step of the cascade.

python -m pipeline.training.shallow DATA WHOLE MODEL START OUTPUT

DATA is as for `groundswell train`. WHOLE holds the whole encoder's own weights, MODEL
the same exported, with its heads; what MODEL makes of a text is what is learned. START
holds a fine-tuned BERT, as wide and with the same tokenizer, whose first layers are
where training begins, through a linear map of the whole encoder's embeddings, which
stay as they are. OUTPUT gets shallow.safetensors, for `pipeline.training.export`, and
whole.npy, what the whole encoder makes of the texts, which takes a quarter of an hour.
A training that was stopped goes on where it was.

No text is shown that `pipeline.training.cascade` judges its steps on.
"""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.tagging.cascade import DECISIVE
from pipeline.tagging.encoder import Floats
from pipeline.tagging.heads import load_heads
from pipeline.training.batches import (
    Ints,
    Tokens,
    in_order,
    load_tokenizer,
    tokenise,
)
from pipeline.training.borrowed import (
    Bert,
    Borrowed,
    Lessons,
    fit_linear,
    learn,
    tensors,
    turn,
    unlike,
)
from pipeline.training.export import SHALLOW
from pipeline.training.finetune import Training
from pipeline.training.imitated import SEED, read_texts, read_whole

LAYERS = 3
"""At most: each costs a twelfth of the whole encoder."""

RATE, HEAD_RATE = 2e-4, 3e-4
PLATFORMS = ("github", "stackexchange", "irc", "reddit", "twitter")

_LESS = 0.3
"""What a label counts that need not be sure."""

_FIRST = 4_000
"""Texts that the head's first weights are fitted on."""

_RIDGE = 100.0


class Verdicts(NamedTuple):
    """The heads of all platforms: logits above a label's threshold, and their weight.

    `weight` is labels x width, the others have one number a label.
    """

    weight: Tensor
    bias: Tensor
    counts: Tensor

    def logits(self, pooled: Tensor) -> Tensor:
        """How far above its threshold each label is, texts x labels."""
        return pooled @ self.weight.T + self.bias

    def loss(self, said: Tensor, wanted: Tensor) -> Tensor:
        """Of pooled states, summed over texts: 0 where they are judged alike.

        Shifted to the thresholds, cross-entropy asks for the right side of each.
        """
        given, aim = self.logits(said), self.logits(wanted)
        return (unlike(given, aim) * self.counts).sum() / self.counts.sum()


def read_verdicts(model: Path) -> Verdicts:
    """The different heads of all platforms in an exported model."""
    found: dict[bytes, tuple[Floats, float, float]] = {}
    for heads in (load_heads(model, platform) for platform in PLATFORMS):
        limits = np.log(heads.thresholds) - np.log1p(-heads.thresholds)
        weight = (heads.slopes[:, None] * heads.weight).astype(np.float32)
        bias = heads.slopes * heads.bias + heads.offsets - limits
        for n, (task, label) in enumerate(heads.keys):
            key = f"{task} {label} {bias[n]}".encode() + weight[n].tobytes()
            count = 1.0 if task in DECISIVE else _LESS
            found[key] = weight[n], float(bias[n]), count
    weights, *numbers = zip(*found.values(), strict=True)
    return Verdicts(
        torch.from_numpy(np.stack(weights)), *(torch.tensor(each) for each in numbers)
    )


class Shallow(Borrowed):
    """A few layers, of which `foretell` makes the whole encoder's pooled state.

    Args:
        embeddings: of the whole encoder; they are not trained.
        encoder: the layers.
        width: of their states.
        foretold: width of the whole encoder's.
    """

    def __init__(
        self, embeddings: nn.Module, encoder: nn.Module, width: int, foretold: int
    ) -> None:
        super().__init__(embeddings, encoder, width)
        self.foretell = nn.Linear(width, foretold)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The whole encoder's pooled states, as far as they are foretold."""
        state: Tensor = self.foretell(self.pooled(ids, mask))
        return state


def begin(whole: Bert, start: Bert, tokens: Tokens, wanted: Floats) -> Shallow:
    """The layers of `start`, with maps in and out of them by least squares.

    Args:
        whole: gives the embeddings.
        start: gives the layers.
        tokens: of the first texts.
        wanted: what the whole encoder makes of them, texts x width.
    """
    width = int(whole.config.hidden_size)
    layers = start.model().encoder
    network = Shallow(whole.model().embeddings, layers, width, wanted.shape[1])
    turn(network, whole, start, tokens)
    network.eval()
    pooled = torch.zeros(len(wanted), width)
    with torch.no_grad():
        for batch in in_order(tokens.lengths, np.arange(len(wanted))):
            pooled[batch] = network.pooled(*tensors(tokens, batch))
    fit_linear(network.foretell, pooled, torch.from_numpy(wanted), _RIDGE)
    return network


def train(
    network: Shallow,
    lessons: Lessons,
    wanted: Floats,
    verdicts: Verdicts,
    training: Training,
) -> None:
    """Train, and write the layers down; a training that was stopped goes on.

    Args:
        network: what is trained.
        lessons: the texts.
        wanted: the pooled states to foretell, texts x width.
        verdicts: by which they are compared.
        training: names the folder of the outcome.
    """
    layers = nn.ModuleDict({"turn": network.turn, "encoder": network.encoder})
    trained = nn.ModuleDict({**layers, "foretell": network.foretell})
    peaks: list[tuple[nn.Module, float]] = [
        (layers, RATE),
        (network.foretell, HEAD_RATE),
    ]

    def loss(batch: Ints) -> Tensor:
        said = network(*tensors(lessons.tokens, batch))
        return verdicts.loss(said, torch.from_numpy(wanted[batch]))

    checkpoint = learn(training, trained, peaks, lessons, loss)
    network.write(training.folder / SHALLOW, {})
    checkpoint.remove()


def main() -> int:
    """Read, train and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("data", "whole", "model", "start", "output"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    texts = read_texts(given.data)
    wanted = read_whole(texts.texts, given.model, given.output / "whole.npy")
    tokens = tokenise(load_tokenizer(given.whole), texts.texts)
    some = np.sort(np.random.default_rng(SEED).permutation(len(texts.texts))[:_FIRST])
    first = tokenise(load_tokenizer(given.whole), [texts.texts[n] for n in some])
    whole, start = Bert.load(given.whole, 0), Bert.load(given.start, LAYERS)
    torch.manual_seed(SEED)
    network = begin(whole, start, first, wanted[some])
    lessons = Lessons(tokens, texts.rows)
    shown = sys.stderr.isatty()
    training = Training("shallow", given.start, given.output, SEED, shown)
    train(network, lessons, wanted, read_verdicts(given.model), training)
    return 0


if __name__ == "__main__":
    sys.exit(main())
