"""The student: a network that learns from people and from teachers at once."""

from collections.abc import Sequence

import numpy as np

from pipeline.training.batches import Ints
from pipeline.training.corpora import Chat
from pipeline.training.finetune import Lessons, Plan, Training, train_network
from pipeline.training.material import Material
from pipeline.training.network import WEIGHTS, shape_of
from pipeline.training.soft_labels import SoftLabels
from pipeline.training.targets import NOBODY, MixedTargets

EPOCHS = 4
TOKENS = 16_384
RATE, RATE_OF_SHALLOW = 2e-4, 3e-4
"""Of encoders of 12 layers, and of those of half as many."""

_SHALLOW = 6


def train_student(
    material: Material, chats: Sequence[Chat], soft: SoftLabels, training: Training
) -> None:
    """Train the student, unless it is trained.

    Args:
        material: the labelled texts.
        chats: messages that nobody labelled.
        soft: what teachers said of these, and perhaps of the labelled texts.
        training: where it begins and ends.
    """
    if (training.folder / WEIGHTS).is_file():
        return
    shallow = shape_of(training.base).layers <= _SHALLOW
    plan = Plan(EPOCHS, RATE_OF_SHALLOW if shallow else RATE, TOKENS)
    train_network(training, lessons_of(material, chats, soft), plan)


def lessons_of(material: Material, chats: Sequence[Chat], soft: SoftLabels) -> Lessons:
    """All labelled texts, and the messages that teachers have read."""
    names = material.names + [chat.id for chat in chats]
    texts = material.texts + [chat.text for chat in chats]
    scored = matched(names, soft.names)
    labelled = np.full(len(names), NOBODY)
    labelled[: len(material.names)] = np.arange(len(material.names))
    chatted = np.flatnonzero((labelled == NOBODY) & (scored != NOBODY))
    every = np.ones(len(material.names), dtype=bool)
    columns = matched(material.outputs, soft.outputs)
    return Lessons(
        material.outputs,
        texts,
        np.concatenate([material.repeated(every), chatted]),
        MixedTargets(material.labels, labelled, soft.scores, scored, columns),
    )


def matched(wanted: Sequence[object], held: Sequence[object]) -> Ints:
    """Of each wanted one its place among those held, or `NOBODY`."""
    places = {each: place for place, each in enumerate(held)}
    return np.array([places.get(each, NOBODY) for each in wanted], dtype=np.int64)
