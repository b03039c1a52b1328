"""The model card of a training: its data and their terms, its figures, its limits."""

from collections.abc import Iterable, Sequence

import numpy as np

from pipeline.training.corpora import CHATS, SETS, Chat
from pipeline.training.held_out import SetFigures
from pipeline.training.material import Material
from pipeline.training.options import Options

_PURPOSE = """\
# Model card

An English encoder that judges the emotions, the stress and the tone that short texts
express. It counts moods of groups over time. **It is no diagnosis, of nobody**: one
message says little about who wrote it, and no mark of it may be used about a person.
Written by `groundswell train`."""

_ALL_TOGETHER = """\
No text is in the weights' files, but the weights were trained on all of them, all heads
together: leaving a head unused takes no data out."""

_NOT_OURS = """\
The soft labels were made elsewhere: the terms of all that their teachers learned from
hold, too, and what is left out above may be among it."""

_HOW = """\
The int8 model on texts that no training here saw; F1 with thresholds, and the
expected calibration error, cross-validated. A base that has seen them flatters."""

_LIMITS = """\
## Limits

- English only; 192 tokens at a time.
- Figures hold for texts like the held-out ones. Chats have no labelled texts: how good
  it is on them is not known.
- Stress knows Dreaddit alone, posts of forums for people in distress; elsewhere its
  logit is lowered by an assumption, not a measurement.
- Subgroups (dialects, learners of English) have not been looked at. Rare labels are
  often missed."""


def to_card(
    options: Options,
    material: Material,
    chats: Sequence[Chat],
    figures: Sequence[SetFigures],
) -> str:
    """The card, in Markdown."""
    sections = [
        _PURPOSE,
        _data(options, material, chats),
        _training(options),
        _held_out(figures),
        _LIMITS,
    ]
    return "\n\n".join(sections) + "\n"


def _data(options: Options, material: Material, chats: Sequence[Chat]) -> str:
    used = np.bincount(material.numbers, minlength=len(material.sets))
    labelled = [
        (each.source.title, each.source.licence, f"{count:,}")
        for each, count in zip(material.sets, used, strict=True)
    ]
    heard = [
        (
            f"{stream.title}, no labels",
            stream.licence,
            f"{sum(chat.id.startswith(f'{stream.name}-') for chat in chats):,}",
        )
        for stream in CHATS
        if stream.name not in options.without
    ]
    left_out = [each.title for each in (*SETS, *CHATS) if each.name in options.without]
    return "\n".join(
        [
            "## Data and their terms",
            "",
            *_table(("data", "terms", "texts"), [*labelled, *heard]),
            "",
            f"Left out: {', '.join(left_out) or 'nothing'}.",
            _ALL_TOGETHER,
            *_teachers_of_others(options),
        ]
    )


def _teachers_of_others(options: Options) -> list[str]:
    if options.soft_labels is None:
        return []
    return [_NOT_OURS]


def _training(options: Options) -> str:
    teachers = (
        f"ready soft labels, {options.soft_labels.name}"
        if options.soft_labels
        else f"teachers ({options.teachers}) from {_base(options)}"
    )
    return "\n".join(
        [
            "## Training",
            "",
            f"From {options.base.name}, whose own terms hold, too; {teachers}.",
            f"At most {options.subset or 'all'} labelled texts, and as many messages.",
            f"Seed {options.seed}.",
        ]
    )


def _base(options: Options) -> str:
    return (options.teacher_base or options.base).name


def _held_out(figures: Sequence[SetFigures]) -> str:
    rows = [
        (
            each.set,
            f"{each.task}, {each.labels}",
            str(each.texts),
            f"{each.micro_f1_at_half:.3f}",
            f"{each.micro_f1:.3f}",
            f"{each.macro_f1:.3f}",
            f"{each.calibration_error:.3f}",
        )
        for each in figures
    ]
    heads = ("set", "task, labels", "texts", "micro at .5", "micro", "macro", "ECE")
    return "\n".join(
        [
            "## Figures",
            "",
            _HOW,
            "",
            *_table(heads, rows),
        ]
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
