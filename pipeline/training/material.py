"""What is trained on: the labelled texts that nobody holds out, all sets as one."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.training.batches import Ints
from pipeline.training.corpora import (
    Bools,
    Chat,
    Floats,
    LabelledSet,
    Output,
    another_fifth,
)


class Material(NamedTuple):
    """Labelled texts of all sets.

    `names` says of each text its set and place, `labels` is texts x outputs, NaN where
    nobody looked; `numbers` and `places` are the set of each text and its place there.
    """

    sets: list[LabelledSet]
    outputs: list[Output]
    names: list[str]
    texts: list[str]
    labels: Floats
    numbers: Ints
    places: Ints

    def repeated(self, kept: Bools) -> Ints:
        """Some of the texts, each as often as its set wants an epoch to show it."""
        repeats = np.array([each.source.repeats for each in self.sets])
        rows = np.flatnonzero(kept)
        return np.repeat(rows, repeats[self.numbers[rows]])

    def left_out(self, seed: int) -> Bools:
        """A fifth of each set for one teacher to be judged on."""
        fifths = [another_fifth(each.held_out, seed) for each in self.sets]
        pairs = zip(self.numbers, self.places, strict=True)
        return np.array([fifths[number][place] for number, place in pairs], dtype=bool)


def gather(sets: list[LabelledSet], most: int | None, seed: int) -> Material:
    """The texts that are not held out, nor equal to one that is.

    Args:
        sets: all of them.
        most: texts in all; the small sets stay whole as long as they can.
        seed: of which ones.
    """
    judges = {t for each in sets for t in _texts(each, each.held_out)}
    rows = _drawn([_free(each, judges) for each in sets], most, seed)
    chosen = list(zip(sets, rows, strict=True))
    outputs = list(dict.fromkeys(output for each in sets for output in each.outputs))
    return Material(
        sets,
        outputs,
        [f"{each.source.name}/{n}" for each, own in chosen for n in own],
        [each.texts[n] for each, own in chosen for n in own],
        np.concatenate([_spread(each, own, outputs) for each, own in chosen]),
        np.repeat(np.arange(len(sets)), [len(own) for own in rows]),
        np.concatenate(rows),
    )


def draw_chats(chats: Sequence[Chat], most: int | None, seed: int) -> list[Chat]:
    """At most so many of the chats' messages."""
    if most is None or len(chats) <= most:
        return list(chats)
    chosen = np.random.default_rng(seed).permutation(len(chats))[:most]
    return [chats[n] for n in np.sort(chosen)]


def cap(sizes: Sequence[int], most: int) -> int:
    """Texts that each set may give so that all give no more than `most`."""
    left, ordered = most, sorted(sizes)
    for number, size in enumerate(ordered):
        share = left // (len(ordered) - number)
        if size > share:
            return share
        left -= size
    return max(ordered, default=0)


def _drawn(rows: list[Ints], most: int | None, seed: int) -> list[Ints]:
    if most is None:
        return rows
    share = cap([len(own) for own in rows], most)
    random = np.random.default_rng(seed)
    return [np.sort(random.permutation(own)[:share]) for own in rows]


def _free(each: LabelledSet, judges: set[str]) -> Ints:
    """The texts of a set that are neither held out nor equal to any that is."""
    rows = np.flatnonzero(~each.held_out)
    return rows[[each.texts[row] not in judges for row in rows]]


def _spread(each: LabelledSet, rows: Ints, outputs: list[Output]) -> Floats:
    """A set's labels among all outputs."""
    columns = [outputs.index(output) for output in each.outputs]
    spread = np.full((len(rows), len(outputs)), np.nan, np.float32)
    spread[:, columns] = each.targets[rows]
    return spread


def _texts(each: LabelledSet, kept: npt.NDArray[np.bool_]) -> list[str]:
    return [each.texts[n] for n in np.flatnonzero(kept)]
