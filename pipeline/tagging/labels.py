"""The labels a message may be given, read from labels.toml."""

from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pipeline.records import Name

Finest = Literal["hour", "day"]
_MinAuthors = Annotated[int, Meta(ge=5)]


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """One label: what it means, where it comes from, when it may be published.

    `parent` is its place on Parrott's tree of emotions, `first/second tier`.
    `min_authors` is the fewest distinct authors of a published cell, `finest` the
    finest period it is published for. `default_off` labels are tagged only where
    the operator asks for them, and only ever counted.
    """

    task: str
    label: str
    parent: str | None
    definition: str
    reference: str
    min_authors: int
    finest: Finest
    default_off: bool

    @property
    def key(self) -> tuple[str, str]:
        """Task and label, which together name it."""
        return (self.task, self.label)


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    definition: Annotated[str, Meta(min_length=10)]
    parent: str | None = None
    reference: str | None = None
    default_off: bool = False


class _Task(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reference: Annotated[str, Meta(min_length=10)]
    min_authors: _MinAuthors
    finest: Finest
    labels: dict[Name, _Entry]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tree: dict[Name, list[Name]]
    tasks: dict[Name, _Task]


def load_labels() -> list[Label]:
    """Every label, in the order of labels.toml, the default-off ones included."""
    return list(_shipped())


def parse_labels(toml: bytes) -> list[Label]:
    """The labels that a file like labels.toml describes.

    Raises:
        ValueError: it is no such file, or a parent is not on its tree.
    """
    file = msgspec.toml.decode(toml, type=_File)
    labels = [
        _label(task, settings, name, entry)
        for task, settings in file.tasks.items()
        for name, entry in settings.labels.items()
    ]
    places = set(file.tree) | {
        f"{first}/{second}" for first, tier in file.tree.items() for second in tier
    }
    strays = [label.label for label in labels if label.parent not in places | {None}]
    if strays:
        raise ValueError(f"not on the tree: the parents of {', '.join(strays)}")
    return labels


@cache
def _shipped() -> tuple[Label, ...]:
    toml = files("pipeline.tagging").joinpath("labels.toml").read_bytes()
    return tuple(parse_labels(toml))


def _label(task: str, settings: _Task, name: str, entry: _Entry) -> Label:
    return Label(
        task=task,
        label=name,
        parent=entry.parent,
        definition=entry.definition,
        reference=entry.reference or settings.reference,
        min_authors=settings.min_authors,
        finest=settings.finest,
        default_off=entry.default_off,
    )
