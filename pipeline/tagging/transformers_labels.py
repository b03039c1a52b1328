"""What the labels of somebody else's model are to us."""

import re
from collections.abc import Sequence

from pipeline.errors import ConfigError
from pipeline.tagger_settings import TransformersSettings
from pipeline.tagging.labels import load_labels
from pipeline.tagging.transformers_folder import find_model, labels_in

_NONE = frozenset({"neutral", "no-emotion", "none"})
_GAPS = re.compile(r"[\s_]+")


def our_labels(
    theirs: Sequence[str], settings: TransformersSettings
) -> list[str | None]:
    """Which label of the task each of the model's labels is, None for none of them.

    Names that coincide, but for case and `_`, are the same; so is, where the task has
    no label for it, the absence of any. The settings' own table goes before.

    Raises:
        ConfigError: a label is unknown on either side.
    """
    ours = _labels_of(settings.task)
    strays = [label for label in settings.labels if label not in theirs]
    strays += [label for label in settings.labels.values() if label not in {*ours, ""}]
    found = [settings.labels.get(label, _alike(label, ours)) for label in theirs]
    strays += [label for label, name in zip(theirs, found, strict=True) if name is None]
    if strays or not any(found):
        raise ConfigError(_explained(strays, theirs, ours, settings.task))
    return [name or None for name in found]


def model_faults(settings: TransformersSettings) -> list[str]:
    """What keeps a model from being used, as far as its folder tells."""
    try:
        our_labels(labels_in(find_model(settings.model)), settings)
    except ConfigError as error:
        return [str(error)]
    return []


def _labels_of(task: str) -> list[str]:
    ours = [label.label for label in load_labels() if label.task == task]
    if not ours:
        tasks = ", ".join(dict.fromkeys(label.task for label in load_labels()))
        raise ConfigError(
            f"[tagging.transformers] task: {task!r} is none; set it to one of {tasks}"
        )
    return ours


def _alike(label: str, ours: Sequence[str]) -> str | None:
    name = _GAPS.sub("-", label.strip().lower())
    if name in ours:
        return name
    return "" if name in _NONE else None


def _explained(
    strays: Sequence[str], theirs: Sequence[str], ours: Sequence[str], task: str
) -> str:
    what = ", ".join(map(repr, dict.fromkeys(strays)))
    fault, many = f"{what} cannot be matched", "each"
    if not strays:
        fault, many = f"none of them means a label of {task}", "at least one"
    return (
        f"[tagging.transformers] labels: {fault}; map {many} of the model's labels "
        f"({', '.join(theirs)}) to one of {task} ({', '.join(ours)})"
        + (', or to "" for none' if strays else "")
    )
