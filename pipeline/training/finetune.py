"""Train a network: AdamW, warm-up and linear decay, batches of texts of like length."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers.utils import logging as transformers_logging

from pipeline.training.batches import (
    TOKENS,
    Ints,
    Tokens,
    by_chance,
    load_tokenizer,
    tokenise,
)
from pipeline.training.checkpoint import Checkpoint
from pipeline.training.corpora import Output
from pipeline.training.network import (
    Network,
    best_device,
    load_network,
    precision,
    save_network,
)
from pipeline.training.progress import progress

Floats = npt.NDArray[np.float32]

HEADS_RATE = 1e-3
WARM_UP = 0.06
"""Share of the steps in which the learning rate rises."""

CHECKPOINT_S = 120.0
"""What a training that is killed loses at most."""

_DECAY = 0.01
_STEEPEST = 1.0
_SEEDS = 1_000_003

Step = TypeVar("Step")

Targets = Callable[[Ints], tuple[Floats, Floats]]
"""Of some texts what to learn, from 0 to 1, and how much each of it counts.

Both are texts x outputs; all that counts of a text adds up to 1, or to 0.
"""


class Lessons(NamedTuple):
    """What to learn: `rows` are the texts of an epoch; one may stand there twice."""

    outputs: list[Output]
    texts: Sequence[str]
    rows: Ints
    targets: Targets


class Plan(NamedTuple):
    """How: `rate` is the encoder's, `tokens` those of a step, padding included."""

    epochs: int
    rate: float
    tokens: int


class Training(NamedTuple):
    """Where a network begins and ends: folders of the base and of the outcome."""

    title: str
    base: Path
    folder: Path
    seed: int
    shown: bool


def be_deterministic() -> None:
    """The same weights from the same seed, with the same machine and threads."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Nothing here reads memory before it is written: to fill it costs a tenth.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()


def train_network(training: Training, lessons: Lessons, plan: Plan) -> Network:
    """Train a network and save it, or go on where an earlier run was stopped.

    Each step draws its chances from a seed of its own, so that a training that was
    stopped ends with the very weights of one that was not.
    """
    torch.manual_seed(training.seed)
    network = load_network(training.base, lessons.outputs).to(best_device())
    tokens = tokenise(load_tokenizer(training.base), lessons.texts)
    optimiser = torch.optim.AdamW(
        [
            {"params": list(network.encoder.parameters()), "peak": plan.rate},
            {"params": list(network.heads.parameters()), "peak": HEADS_RATE},
        ],
        weight_decay=_DECAY,
    )
    steps = plan_steps(tokens.lengths, lessons.rows, plan, training.seed)
    checkpoint = take_steps(
        training,
        network,
        optimiser,
        steps,
        lambda batches: _step(network, tokens, batches, lessons, optimiser),
    )
    save_network(network, lessons.outputs, training.folder, training.base)
    checkpoint.remove()
    return network


def take_steps(
    training: Training,
    network: nn.Module,
    optimiser: torch.optim.AdamW,
    steps: Sequence[Step],
    learn: Callable[[Step], float],
) -> Checkpoint:
    """Take all steps, or those that an earlier run was stopped before.

    Args:
        training: names the folder of the checkpoint.
        network: what is trained.
        optimiser: its groups have the `peak` of their learning rate.
        steps: what each learns from.
        learn: takes one, and says its loss.

    Returns:
        What to remove once the outcome is written down.
    """
    path = training.folder / "checkpoint.safetensors"
    checkpoint = Checkpoint(path, network, optimiser)
    done = checkpoint.load()
    network.train()
    at = monotonic()
    with progress(training.title, done, len(steps), shown=training.shown) as advance:
        for number in range(done, len(steps)):
            torch.manual_seed(training.seed * _SEEDS + number)
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * slope(number, len(steps))
            advance(loss=learn(steps[number]))
            if monotonic() - at >= CHECKPOINT_S:
                checkpoint.save(number + 1)
                at = monotonic()
    return checkpoint


def plan_steps(lengths: Ints, rows: Ints, plan: Plan, seed: int) -> list[list[Ints]]:
    """The batches of each step of all epochs, the same for the same seed."""
    together = max(1, plan.tokens // TOKENS)
    steps: list[list[Ints]] = []
    for epoch in range(plan.epochs):
        random = np.random.default_rng([seed, epoch])
        batches = by_chance(lengths, rows, random)
        steps += [batches[n : n + together] for n in range(0, len(batches), together)]
    return steps


def slope(step: int, steps: int) -> float:
    """The share of its peak that the learning rate has: up to 1, then down to 0."""
    rising = max(1, round(WARM_UP * steps))
    return min((step + 1) / rising, (steps - step) / max(1, steps - rising))


def _step(
    network: Network,
    tokens: Tokens,
    batches: list[Ints],
    lessons: Lessons,
    optimiser: torch.optim.AdamW,
) -> float:
    """Learn from some batches at once; the mean loss of their texts."""
    device = network.heads.weight.device
    texts, total = sum(map(len, batches)), 0.0
    optimiser.zero_grad()
    for batch in batches:
        wanted, counts = (
            torch.from_numpy(x).to(device) for x in lessons.targets(batch)
        )
        ids, mask = (torch.from_numpy(x).to(device) for x in tokens.batch(batch))
        with precision(device):
            said = network(ids, mask)
        loss = binary_cross_entropy_with_logits(
            said.float(), wanted, counts, reduction="sum"
        )
        (loss / texts).backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    torch.nn.utils.clip_grad_norm_(network.parameters(), _STEEPEST)
    optimiser.step()
    return total / texts
