"""Trains a small encoder on labelled texts that know of one task each.

Made for few and short texts on one core: small batches, lower layers that learn more
slowly than upper ones; and single precision, for with half of it (bfloat16) the Spanish
encoder's macro-F1 was a point lower.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch.nn.functional import binary_cross_entropy_with_logits

from pipeline.training.checkpoint import Checkpoint
from pipeline.training.corpora import Output
from pipeline.training.network import Network
from pipeline.training.progress import progress
from pipeline.training.spanish_corpora import Example

Floats = npt.NDArray[np.float32]

HEADS_RATE = 1e-3
CHECKPOINT_S = 120.0
"""What a killed training loses at most."""

_WARM_UP = 0.1
_SLOWER = 0.9
"""A layer's learning rate, as a share of that of the layer above."""

_DROPOUT = 0.1
_DECAY = 0.01
_STEEPEST = 1.0
_SEEDS = 1_000_003
_POOL = 4_000
_LONGEST = 128
_AT_ONCE = 64


class Plan(NamedTuple):
    """How long, how fast, in which order.

    `rate` is the topmost layer's, `tokens` those of a batch, its padding included.
    """

    title: str
    epochs: int
    rate: float
    tokens: int
    seed: int


class Material(NamedTuple):
    """Texts as tokens; what to learn of each (texts x outputs), and what it counts."""

    ids: list[list[int]]
    targets: Floats
    counts: Floats


def prepare(
    tokenizer: Tokenizer, examples: Sequence[Example], outputs: Sequence[Output]
) -> Material:
    """What a network sees of examples; the labels of a text's task count alike."""
    tokenizer.enable_truncation(_LONGEST)
    encodings = tokenizer.encode_batch([example.text for example in examples])
    place = {output: number for number, output in enumerate(outputs)}
    tasks = np.array([output.task for output in outputs])
    targets = np.zeros((len(examples), len(outputs)), np.float32)
    counts = np.zeros_like(targets)
    for row, example in enumerate(examples):
        asked = tasks == example.task
        counts[row, asked] = 1 / asked.sum()
        for label in example.labels:
            targets[row, place[Output(example.task, label)]] = 1
    return Material([encoding.ids for encoding in encodings], targets, counts)


def learn(
    network: Network,
    material: Material,
    plan: Plan,
    checkpoint: Path,
    *,
    shown: bool,
) -> Checkpoint:
    """Train on all texts, or go on where an earlier run was stopped.

    Each step draws its chances from a seed of its own, so that a training that was
    stopped ends with the very weights of one that was not.

    Returns:
        The checkpoint, to be removed once the network is saved.
    """
    _drop(network, _DROPOUT)
    optimiser = torch.optim.AdamW(_groups(network, plan.rate), weight_decay=_DECAY)
    saved = Checkpoint(checkpoint, network, optimiser)
    done, at = saved.load(), monotonic()
    steps = _steps(material, plan)
    network.train()
    with progress(plan.title, done, len(steps), shown=shown) as advance:
        for number in range(done, len(steps)):
            torch.manual_seed(plan.seed * _SEEDS + number)
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * _slope(number, len(steps))
            advance(loss=_step(network, material, steps[number], optimiser))
            if monotonic() - at >= CHECKPOINT_S:
                saved.save(number + 1)
                at = monotonic()
    return saved


@torch.inference_mode()
def read(network: Network, material: Material, rows: Sequence[int]) -> Floats:
    """Logits, rows x outputs; without heads the pooled states, rows x width."""
    network.eval()
    order = sorted(range(len(rows)), key=lambda n: len(material.ids[rows[n]]))
    parts = []
    for start in range(0, len(order), _AT_ONCE):
        ids = _padded(material, [rows[n] for n in order[start : start + _AT_ONCE]])
        parts.append(network(ids, ids.ne(0).long()).numpy())
    said = np.concatenate(parts)
    return said[np.argsort(order)]


def _drop(network: Network, share: float) -> None:
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share


def _groups(network: Network, rate: float) -> list[dict[str, object]]:
    """The parameters of each depth with their peak learning rate."""
    layers = list(network.encoder.encoder.layer)  # type: ignore[union-attr,arg-type]
    parts = [network.encoder.embeddings, *layers]
    groups: list[dict[str, object]] = [
        {
            "params": list(part.parameters()),
            "peak": rate * _SLOWER ** (len(parts) - 1 - depth),
        }
        for depth, part in enumerate(parts)
    ]
    return [*groups, {"params": list(network.heads.parameters()), "peak": HEADS_RATE}]


def _steps(material: Material, plan: Plan) -> list[list[int]]:
    """The texts of each step of all epochs, the same for the same seed."""
    steps: list[list[int]] = []
    for epoch in range(plan.epochs):
        random = np.random.default_rng([plan.seed, epoch])
        shuffled = random.permutation(len(material.ids)).tolist()
        batches = [
            batch
            for start in range(0, len(shuffled), _POOL)
            for batch in _alike(material, shuffled[start : start + _POOL], plan.tokens)
        ]
        steps += [batches[n] for n in random.permutation(len(batches))]
    return steps


def _alike(material: Material, rows: list[int], tokens: int) -> Iterator[list[int]]:
    """Batches of texts of like length, which hold so many tokens at most."""
    batch: list[int] = []
    for row in sorted(rows, key=lambda row: len(material.ids[row])):
        if batch and (len(batch) + 1) * len(material.ids[row]) > tokens:
            yield batch
            batch = []
        batch.append(row)
    yield batch


def _slope(step: int, steps: int) -> float:
    """The share of its peak that a learning rate has: up to 1, then down to 0."""
    rising = max(1, round(_WARM_UP * steps))
    return min((step + 1) / rising, (steps - step) / max(1, steps - rising))


def _step(
    network: Network,
    material: Material,
    batch: list[int],
    optimiser: torch.optim.AdamW,
) -> float:
    """Learn from a batch; the mean loss of its texts."""
    ids = _padded(material, batch)
    wanted, counts = (
        torch.from_numpy(part[batch]) for part in (material.targets, material.counts)
    )
    said = network(ids, ids.ne(0).long())
    loss = binary_cross_entropy_with_logits(
        said, wanted, counts, reduction="sum"
    ) / len(batch)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), _STEEPEST)
    optimiser.step()
    return float(loss.detach())


def _padded(material: Material, rows: Sequence[int]) -> torch.Tensor:
    """Token ids, texts x tokens; 0 stands for none."""
    longest = max(len(material.ids[row]) for row in rows)
    padded = [
        material.ids[row] + [0] * (longest - len(material.ids[row])) for row in rows
    ]
    return torch.tensor(padded)
