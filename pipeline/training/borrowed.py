"""Layers of one encoder that stand on the embeddings of another.

Embeddings are a third of a small encoder's weights. Those of another with the same
tokenizer, through a linear map (`turn`), do nearly as well, and cost no room.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, layer_norm
from transformers import BertConfig, BertModel

from pipeline.training.batches import TOKENS, Ints, Tokens
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.files import write_whole
from pipeline.training.finetune import Plan, Training, plan_steps, take_steps

_NOWHERE = -1e9
"""Added to the attention to what is no token."""

_NEAR, _FAR = 10.0, 0.5
"""What the same probability counts, and what the same logit does."""

_EPSILON = 1e-6
_DECAY = 0.01
_STEEPEST = 1.0


class Borrowed(nn.Module):
    """Some layers on a linear map of another encoder's embeddings.

    Args:
        embeddings: of the other encoder; they are not trained.
        encoder: the layers.
        width: of all states.
    """

    def __init__(self, embeddings: nn.Module, encoder: nn.Module, width: int) -> None:
        super().__init__()
        self.embeddings, self.encoder = embeddings.requires_grad_(False), encoder
        self.turn = nn.Linear(width, width)

    def pooled(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The mean of the last layer's states, texts x width."""
        with torch.autocast("cpu", torch.bfloat16):
            below = self.turn(self.embeddings(input_ids=ids))
            return pool(self.encoder, below, mask)

    def write(self, path: Path, others: dict[str, Tensor]) -> None:
        """Write map, layers and others down, for `pipeline.training.export`."""
        kept = others | {
            f"{name}.{key}": weight.contiguous()
            for name in ("turn", "encoder")
            for key, weight in getattr(self, name).state_dict().items()
        }
        write_whole(path, save(kept))


def pool(encoder: nn.Module, below: Tensor, mask: Tensor) -> Tensor:
    """The mean of what layers make of embeddings, texts x width."""
    ahead = (1.0 - mask[:, None, None, :].float()) * _NOWHERE
    states = encoder(below, attention_mask=ahead)[0].float()
    kept = mask.unsqueeze(-1).float()
    pooled: Tensor = (states * kept).sum(dim=1) / kept.sum(dim=1)
    return pooled


@dataclass(frozen=True)
class Bert:
    """A BERT's shape and weights, without dropout."""

    config: BertConfig
    weights: dict[str, Tensor]

    @classmethod
    def load(cls, folder: Path, most_layers: int) -> "Bert":
        """The one in a folder, or its first layers."""
        config = BertConfig.from_pretrained(folder)
        config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
        config.num_hidden_layers = min(config.num_hidden_layers, most_layers)
        weights = load_file(folder / "model.safetensors")
        return cls(config, {name: weight.float() for name, weight in weights.items()})

    def model(self) -> BertModel:
        """As transformers has it."""
        model = BertModel(self.config, add_pooling_layer=False)
        held = model.state_dict()
        model.load_state_dict({name: self.weights[name] for name in held})
        return model

    def embedded(self, tokens: Tokens) -> Tensor:
        """Every token's embedding where it stands, tokens x width."""
        places = np.concatenate([np.arange(length) for length in tokens.lengths])
        names = ("word", "position", "token_type")
        numbers = (tokens.flat.astype(np.int64), places, np.zeros_like(places))
        parts = [
            self.weights[f"embeddings.{name}_embeddings.weight"][torch.from_numpy(each)]
            for name, each in zip(names, numbers, strict=True)
        ]
        norm = [self.weights[f"embeddings.LayerNorm.{n}"] for n in ("weight", "bias")]
        states = torch.stack(parts).sum(dim=0)
        weight, bias = norm
        epsilon = self.config.layer_norm_eps
        return layer_norm(states, states.shape[-1:], weight, bias, epsilon)


def unlike(given: Tensor, aim: Tensor) -> Tensor:
    """How unlike two logits are, each of texts x labels: 0 where they are the same."""
    likely = torch.sigmoid(aim)
    near = binary_cross_entropy_with_logits(given, likely, reduction="none")
    near -= binary_cross_entropy_with_logits(aim, likely, reduction="none")
    return _NEAR * near + _FAR * (given - aim) ** 2


class Lessons(NamedTuple):
    """Texts as tokens, and the rows of the one epoch."""

    tokens: Tokens
    rows: Ints


def learn(
    training: Training,
    trained: nn.Module,
    peaks: Sequence[tuple[nn.Module, float]],
    lessons: Lessons,
    loss: Callable[[Ints], Tensor],
) -> Checkpoint:
    """Train for one epoch; a training that was stopped goes on.

    Args:
        training: names the folder of the checkpoint.
        trained: all that changes.
        peaks: its parts, each with its learning rate.
        lessons: what is learned from.
        loss: of the texts of a batch, summed.

    Returns:
        What to remove once the outcome is written down.
    """
    groups = [{"params": list(part.parameters()), "peak": rate} for part, rate in peaks]
    optimiser = torch.optim.AdamW(groups, weight_decay=_DECAY)

    def step(batches: list[Ints]) -> float:
        (batch,) = batches
        optimiser.zero_grad()
        found = loss(batch) / len(batch)
        found.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained.parameters(), _STEEPEST)
        optimiser.step()
        return float(found.detach())

    plan = Plan(1, peaks[0][1], TOKENS)
    steps = plan_steps(lessons.tokens.lengths, lessons.rows, plan, training.seed)
    return take_steps(training, trained, optimiser, steps, step)


def turn(network: Borrowed, whole: Bert, start: Bert, tokens: Tokens) -> None:
    """Fit the map of embeddings by least squares on the tokens of some texts."""
    fit_linear(network.turn, whole.embedded(tokens), start.embedded(tokens), 1.0)


def fit_linear(linear: nn.Linear, given: Tensor, wanted: Tensor, ridge: float) -> None:
    """A map's weights by ridge regression."""
    scale, mean = given.std(dim=0) + _EPSILON, given.mean(dim=0)
    inputs, middle = (given - mean) / scale, wanted.mean(dim=0)
    square = inputs.T @ inputs + ridge * torch.eye(inputs.shape[1])
    found = torch.linalg.solve(square, inputs.T @ (wanted - middle)) / scale[:, None]
    with torch.no_grad():
        linear.weight.copy_(found.T)
        linear.bias.copy_(middle - mean @ found)


def tensors(tokens: Tokens, batch: Ints) -> Iterator[Tensor]:
    """Token ids and mask of a batch."""
    return (torch.from_numpy(each) for each in tokens.batch(batch))
