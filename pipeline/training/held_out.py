"""How good an exported model is on the texts that no training saw, and its scales.

What is measured is the int8 model that a tagger reads.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from pipeline.tagging.corpora import Corpus
from pipeline.tagging.fit_lexicon import rates
from pipeline.tagging.heads import ANY
from pipeline.training.calibrate import (
    Judge,
    Judged,
    OutputNames,
    cross_validate,
    to_toml,
)
from pipeline.training.corpora import Bools, LabelledSet, Source
from pipeline.training.files import write_whole

Floats = npt.NDArray[np.float64]

_FIGURES = "figures.json"
_FEWEST = 5
"""Marks, and places without one, that figures are worth giving for."""

_BASIC, _FINE = "basic-emotion", "fine-emotion"
_OF_DEVELOPERS = ("basic-emotion on GitHub", "basic-emotion on Stack Overflow")
_BRIGHTER = "emotion intensity, BRIGHTER English"
_SCALED = {
    "basic-emotion on GitHub": (_BASIC, "github"),
    "basic-emotion on Stack Overflow": (_BASIC, "stackexchange"),
    _BRIGHTER: (_BASIC, "twitter"),
    _FINE: (_FINE, ANY),
}
"""Of a set's task the one that a tagger knows, and where it holds."""


class SetFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How good a model is on the held-out texts of a set.

    `micro_f1_at_half` has no fitted threshold; the others are cross-validated.
    """

    set: str
    task: str
    texts: int
    labels: int
    micro_f1_at_half: float
    micro_f1: float
    macro_f1: float
    calibration_error: float


class Read(NamedTuple):
    """What a model and people say of a set's held-out texts, for one task.

    `said` is texts x all outputs, `truth` texts x labels.
    """

    source: Source
    task: str
    labels: list[str]
    said: Floats
    truth: Bools

    def judged(self, names: OutputNames) -> Judged:
        """What the task's own head says, beside the truth."""
        task, platform = _SCALED.get(self.task, (self.task, self.source.platform))
        return Judged(
            platform=platform,
            task=task,
            labels=self.labels,
            heads=[self.task],
            logits=_mean(self.said, names, [self.task], self.labels),
            truth=self.truth,
            pooled=task != "fine-emotion",
            macro=task == _FINE or self.task == _BRIGHTER,
        )


def read_held_out(sets: list[LabelledSet], model: Path) -> list[Read]:
    """Let a model read all that was held out.

    Labels of a task stand together where people looked for them in the same texts; too
    few texts to say anything are left out.
    """
    judge = Judge(model)
    return [read for each in sets for read in _read(each, judge) if _enough(read)]


def figures_of(reads: list[Read], model: Path) -> list[SetFigures]:
    """How good the model is, task by task."""
    names = OutputNames(model)
    return [_figures(read, read.judged(names)) for read in reads]


def to_scales(reads: list[Read], model: Path) -> str:
    """The model's emotions.toml."""
    names = OutputNames(model)
    known = [read.judged(names) for read in reads if read.task in _SCALED]
    return to_toml([*_anywhere(reads, names), *known], names)


def write_figures(figures: list[SetFigures], folder: Path) -> None:
    """Beside the model, for scripts."""
    content = msgspec.json.format(msgspec.json.encode(figures))
    write_whole(folder / _FIGURES, content + b"\n")


def read_figures(folder: Path) -> list[SetFigures]:
    """What `write_figures` wrote; none before the export."""
    path = folder / _FIGURES
    if not path.is_file():
        return []
    return msgspec.json.decode(path.read_bytes(), type=list[SetFigures])


def _read(each: LabelledSet, judge: Judge) -> Iterator[Read]:
    texts = [each.texts[n] for n in np.flatnonzero(each.held_out)]
    said = judge.read(Corpus("", frozenset(), texts, []))
    targets = each.targets[each.held_out]
    groups: dict[tuple[str, bytes], list[int]] = {}
    for column, output in enumerate(each.outputs):
        key = output.task, np.isnan(targets[:, column]).tobytes()
        groups.setdefault(key, []).append(column)
    for (task, _), columns in groups.items():
        known = ~np.isnan(targets[:, columns[0]])
        labels = [each.outputs[column].label for column in columns]
        truth = targets[known][:, columns] > 0
        yield Read(each.source, task, labels, said[known], truth)


def _enough(read: Read) -> bool:
    """Whether there are some texts with a label, and some without."""
    marked = int(read.truth.any(axis=1).sum())
    return min(marked, len(read.truth) * len(read.labels) - marked) >= _FEWEST


def _figures(read: Read, judged: Judged) -> SetFigures:
    scaled = cross_validate(judged)
    at_half, _, _ = rates((judged.logits > 0).ravel(), judged.truth.ravel())
    return SetFigures(
        set=read.source.name,
        task=read.task,
        texts=len(read.truth),
        labels=len(read.labels),
        micro_f1_at_half=round(at_half, 3),
        micro_f1=round(scaled.micro_f1, 3),
        macro_f1=round(scaled.macro_f1, 3),
        calibration_error=round(scaled.calibration_error, 3),
    )


def _anywhere(reads: list[Read], names: OutputNames) -> Iterator[Judged]:
    """Basic emotions on other platforms, from the heads of developers' own texts.

    Without these it is the head of Twitter; disgust is GoEmotions' everywhere.
    """
    developers = [read for read in reads if read.task in _OF_DEVELOPERS]
    own = developers or [read for read in reads if read.task == _BRIGHTER]
    if own:
        heads, labels = [read.task for read in own], own[0].labels
        truth = np.concatenate([read.truth for read in own])
        said = np.concatenate([read.said for read in own])
        logits = _mean(said, names, heads, labels)
        macro = not developers
        yield Judged(
            ANY, _BASIC, labels, heads, logits, truth, pooled=True, macro=macro
        )
    for read in reads:
        if read.task == _FINE and "disgust" in read.labels:
            labels, column = ["disgust"], read.labels.index("disgust")
            logits = _mean(read.said, names, [_FINE], labels)
            truth = read.truth[:, [column]]
            yield Judged(
                ANY, _BASIC, labels, [_FINE], logits, truth, pooled=True, macro=True
            )


def _mean(
    said: Floats, names: OutputNames, heads: list[str], labels: list[str]
) -> Floats:
    """Texts x labels, the mean of some heads."""
    means = [said[:, names.of(heads, label)].mean(axis=1) for label in labels]
    return np.stack(means, axis=1)
