"""Teachers: networks that learn people's labels, and say what they think of others."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import structlog

from pipeline.tagging.fit_lexicon import rates
from pipeline.training.batches import Ints, Tokens, load_tokenizer, tokenise
from pipeline.training.finetune import Lessons, Plan, Training, train_network
from pipeline.training.material import Material
from pipeline.training.network import (
    WEIGHTS,
    Floats,
    Network,
    best_device,
    load_network,
    outputs_of,
    read_texts,
    shape_of,
)
from pipeline.training.progress import progress
from pipeline.training.soft_labels import SoftLabelFile
from pipeline.training.targets import HardTargets

EPOCHS = 6
TOKENS = 4_096
RATE, RATE_OF_WIDE = 1.5e-4, 3e-5
"""Of encoders up to 384 wide, and of wider ones."""

_NARROW = 384
_AT_ONCE = 2_048

log = structlog.get_logger()


def train_teacher(material: Material, training: Training) -> None:
    """Train one teacher, unless it is trained; a fifth of its own is left out."""
    if (training.folder / WEIGHTS).is_file():
        return
    left_out = material.left_out(training.seed)
    lessons = Lessons(
        material.outputs,
        material.texts,
        material.repeated(~left_out),
        HardTargets(material.labels),
    )
    narrow = shape_of(training.base).width <= _NARROW
    plan = Plan(EPOCHS, RATE if narrow else RATE_OF_WIDE, TOKENS)
    network = train_network(training, lessons, plan)
    _judge(network, material, np.flatnonzero(left_out), training)


def score_texts(
    teachers: Sequence[Path],
    names: Sequence[str],
    texts: Sequence[str],
    folder: Path,
    *,
    shown: bool,
) -> None:
    """Write down the teachers' mean probabilities of many texts.

    Some texts at a time, each time written down: what is done is not done again.

    Args:
        teachers: folders of trained ones, of the same outputs and tokenizer.
        names: of the texts.
        texts: to read.
        folder: to write into.
        shown: draw a bar on the terminal.
    """
    outputs = outputs_of(teachers[0])
    file = SoftLabelFile(folder, outputs, names)
    tokenizer = load_tokenizer(teachers[0])
    networks = [load_network(t, outputs).to(best_device()) for t in teachers]
    with progress("soft labels", file.done, len(texts), shown=shown) as advance:
        for start in range(file.done, len(texts), _AT_ONCE):
            tokens = tokenise(tokenizer, texts[start : start + _AT_ONCE])
            file.write(start, _mean(networks, tokens))
            advance(len(tokens.lengths))


def _mean(networks: Sequence[Network], tokens: Tokens) -> Floats:
    """The networks' mean probabilities, texts x outputs."""
    said = [1 / (1 + np.exp(-read_texts(each, tokens))) for each in networks]
    mean: Floats = np.mean(said, axis=0, dtype=np.float32)
    return mean


def _judge(
    network: Network, material: Material, rows: Ints, training: Training
) -> None:
    """Log how good a teacher is on the fifth that it has not seen."""
    texts = [material.texts[row] for row in rows]
    tokens = tokenise(load_tokenizer(training.base), texts)
    flagged, labels = read_texts(network, tokens) > 0, material.labels[rows]
    for number, each in enumerate(material.sets):
        known = ~np.isnan(labels) & (material.numbers[rows] == number)[:, None]
        f1, _, _ = rates(flagged[known], labels[known] > 0)
        name, seed = each.source.name, training.seed
        log.info("teacher-judged", seed=seed, set=name, f1=round(f1, 3))
