"""A network that reads a target and all its candidates at once.

[CLS] emotion [SEP] target [SEP] what was said before it [SEP] and before that …: how
far back something lies is its position, and what the target's own speaker said is of
the second type of tokens. Each token gets three numbers: how well a span starts there,
how well it ends there, and what it says for its candidate being a cause, which is their
mean. The [SEP] before a candidate is where a span starts and ends that is none.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Encoding, Tokenizer
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax, pad

from pipeline.errors import InputError
from pipeline.training.batches import Ints, Tokens, in_order, load_tokenizer
from pipeline.training.corpora import Output
from pipeline.training.finetune import (
    HEADS_RATE,
    Plan,
    Training,
    plan_steps,
    take_steps,
)
from pipeline.training.network import (
    Network,
    best_device,
    load_network,
    precision,
    save_network,
)
from pipeline.training.reccon_data import Candidate, Place, Target
from pipeline.training.reccon_figures import Answer

Floats = npt.NDArray[np.float32]

OUTPUTS = [Output("reccon", name) for name in ("start", "end", "cause")]
WINDOW = 256
"""Tokens; of 95 % of the targets all candidates fit in."""

PLAN = Plan(epochs=3, rate=1.5e-4, tokens=4_096)
_PARTS = 4
"""Steps that a batch is cut into: there are few targets, and many candidates each."""

_NEVER = -1e4


class Framed(NamedTuple):
    """A candidate in the window of its target.

    `places` are its tokens in the window, the [SEP] before them included; `offsets` of
    them where each starts and ends in the text, 0 and 0 for the [SEP].
    """

    number: int
    places: slice
    offsets: list[Place]
    marked: list[Place]
    """First and last token of each span, counted from the [SEP]."""


class Framing(NamedTuple):
    """Targets as tokens, their types (`kinds`), and the candidates that fit in."""

    tokens: Tokens
    kinds: Tokens
    framed: list[list[Framed]]


class _Batch(NamedTuple):
    ids: Tensor
    mask: Tensor
    kinds: Tensor
    places: Tensor
    """Of each candidate its tokens among all of the batch; -1 past the last."""


def frame(tokenizer: Tokenizer, targets: Sequence[Target], window: int) -> Framing:
    """Targets as the network reads them.

    Args:
        tokenizer: of the network.
        targets: to read; candidates beyond the window are left out, the oldest first.
        window: tokens.
    """
    windows = [_Window(tokenizer, target, window) for target in targets]
    return Framing(
        _flat([each.ids for each in windows]),
        _flat([each.kinds for each in windows]),
        [each.framed for each in windows],
    )


class _Window:
    """Fills up with candidates."""

    def __init__(self, tokenizer: Tokenizer, target: Target, window: int) -> None:
        first, *emotion, self._last = tokenizer.encode(target.emotion).ids
        self.ids, self.kinds = [first, *emotion], [0] * (1 + len(emotion))
        self.framed: list[Framed] = []
        for number, candidate in enumerate(target.candidates):
            said = tokenizer.encode(candidate.text, add_special_tokens=False)
            # Room for a [SEP] on either side. The target itself is cut to fit.
            room = window - len(self.ids) - 2
            if number and room < len(said.ids):
                break
            said.truncate(max(0, room))
            self._add(number, candidate, said)
        self.ids.append(self._last)
        self.kinds.append(0)

    def _add(self, number: int, candidate: Candidate, said: Encoding) -> None:
        start = len(self.ids)
        self.ids += [self._last, *said.ids]
        self.kinds += [int(candidate.of_target)] * (1 + len(said.ids))
        offsets = [(0, 0), *said.offsets]
        marked = [_tokens(offsets, span) for span in candidate.spans]
        places = slice(start, len(self.ids))
        self.framed.append(Framed(number, places, offsets, marked))


def _tokens(offsets: Sequence[Place], span: Place) -> Place:
    """The first and the last token of a span; those of none if it was cut off."""
    inside = [
        n for n, (start, end) in enumerate(offsets) if start < span[1] and end > span[0]
    ]
    return (inside[0], inside[-1]) if inside else (0, 0)


def _flat(parts: Sequence[Sequence[int]]) -> Tokens:
    bounds = np.cumsum([0, *map(len, parts)])
    return Tokens(np.concatenate([np.array(p, np.int32) for p in parts]), bounds)


def load_reader(folder: Path) -> tuple[Network, int]:
    """The network in a folder, and the tokens of its window.

    Raises:
        InputError: it holds no BERT, or one that tells no types of tokens apart.
    """
    network = load_network(folder, OUTPUTS)
    config = network.encoder.config
    if getattr(config, "type_vocab_size", 0) < len({False, True}):
        raise InputError(
            f"{folder} holds no BERT with two types of tokens: name another base"
        )
    return network, min(WINDOW, int(config.max_position_embeddings))  # type: ignore[arg-type,union-attr]


def train_reader(training: Training, targets: Sequence[Target], plan: Plan) -> None:
    """Train a network and save it, or go on where an earlier run was stopped.

    Each step draws its chances from a seed of its own, so that a training that was
    stopped ends with the very weights of one that was not.
    """
    torch.manual_seed(training.seed)
    network, window = load_reader(training.base)
    network.to(best_device())
    framing = frame(load_tokenizer(training.base), targets, window)
    optimiser = torch.optim.AdamW(
        [
            {"params": list(network.encoder.parameters()), "peak": plan.rate},
            {"params": list(network.heads.parameters()), "peak": HEADS_RATE},
        ]
    )
    checkpoint = take_steps(
        training,
        network,
        optimiser,
        _steps(framing, plan, training.seed),
        lambda rows: _step(network, framing, rows, optimiser),
    )
    save_network(network, OUTPUTS, training.folder, training.base)
    checkpoint.remove()


def _steps(framing: Framing, plan: Plan, seed: int) -> list[Ints]:
    lengths = framing.tokens.lengths
    planned = plan_steps(lengths, np.arange(len(lengths)), plan, seed)
    return [
        part
        for batches in planned
        for batch in batches
        for part in np.array_split(batch, min(_PARTS, len(batch)))
    ]


def _step(
    network: Network, framing: Framing, rows: Ints, optimiser: torch.optim.AdamW
) -> float:
    """Learn from some targets at once; the mean loss of their candidates."""
    optimiser.zero_grad()
    device = network.heads.weight.device
    framed = [each for row in rows for each in framing.framed[row]]
    said, inside = _read(network, _batch(framing, rows, device))
    wanted = torch.from_numpy(_wanted(framed, said.shape[1])).to(device)
    causes = torch.tensor([float(bool(each.marked)) for each in framed], device=device)
    loss = binary_cross_entropy_with_logits(_cause(said, inside), causes)
    for side in (0, 1):
        likely = log_softmax(said[..., side].masked_fill(~inside, _NEVER), dim=1)
        loss = loss - (wanted[side] * likely).sum(dim=1).mean() / 2
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def _wanted(framed: Sequence[Framed], longest: int) -> Floats:
    """Where spans start and end, 2 x candidates x tokens; several share alike."""
    wanted = np.zeros((2, len(framed), longest), np.float32)
    for row, each in enumerate(framed):
        spans = each.marked or [(0, 0)]
        for span in spans:
            for side, place in enumerate(span):
                wanted[side, row, place] += 1 / len(spans)
    return wanted


def _batch(framing: Framing, rows: Ints, device: torch.device) -> _Batch:
    ids, mask = framing.tokens.batch(rows)
    kinds, _ = framing.kinds.batch(rows)
    places = [
        range(n * ids.shape[1] + each.places.start, n * ids.shape[1] + each.places.stop)
        for n, row in enumerate(rows)
        for each in framing.framed[row]
    ]
    held = np.full((len(places), max(map(len, places))), -1)
    for number, tokens in enumerate(places):
        held[number, : len(tokens)] = tokens
    parts = (torch.from_numpy(part).to(device) for part in (ids, mask, kinds, held))
    return _Batch(*parts)


def _read(network: Network, batch: _Batch) -> tuple[Tensor, Tensor]:
    """The three numbers, candidates x tokens x 3, and where there are tokens."""
    with precision(batch.ids.device):
        states = network.encoder(
            input_ids=batch.ids,
            attention_mask=batch.mask,
            token_type_ids=batch.kinds,
        )[0]
        numbers = network.heads(states).float().flatten(0, 1)
    # The row past the last stands for no token.
    return pad(numbers, (0, 0, 0, 1))[batch.places], batch.places >= 0


def _cause(said: Tensor, inside: Tensor) -> Tensor:
    """The logit of being a cause, of each candidate."""
    kept = inside.float()
    return (said[..., 2] * kept).sum(dim=1) / kept.sum(dim=1)


@torch.inference_mode()
def find_causes(folder: Path, targets: Sequence[Target]) -> list[list[Answer]]:
    """What a trained network says of each candidate of each target.

    One that does not fit into the window is no cause.
    """
    network, window = load_reader(folder)
    network.eval().to(best_device())
    framing = frame(load_tokenizer(folder), targets, window)
    none = Answer(is_cause=False, span="")
    answers = [[none] * len(target.candidates) for target in targets]
    lengths = framing.tokens.lengths
    for rows in in_order(lengths, np.arange(len(targets))):
        said, inside = _read(
            network, _batch(framing, rows, network.heads.weight.device)
        )
        causes = (_cause(said, inside) > 0).tolist()
        pairs = [(row, each) for row in rows for each in framing.framed[row]]
        for (row, each), cause, numbers in zip(pairs, causes, said, strict=True):
            text = targets[row].candidates[each.number].text
            span = best_span(numbers[: len(each.offsets), :2].cpu().numpy())
            place = slice(each.offsets[span[0]][0], each.offsets[span[1]][1])
            answers[row][each.number] = Answer(cause, text[place])
    return answers


def best_span(sides: Floats) -> Place:
    """The first and last token of the likeliest span; 0 and 0, the [SEP], if none is.

    Args:
        sides: how well it starts and ends there, tokens x 2.
    """
    both = sides[:, None, 0] + sides[None, :, 1]
    allowed = np.triu(np.ones(both.shape, dtype=bool))
    allowed[0, 1:] = False
    best = int(np.where(allowed, both, -np.inf).argmax())
    first, last = divmod(best, len(sides))
    return first, last
