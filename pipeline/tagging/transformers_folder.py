"""Where a model of transformers lies, and what it calls its labels; without torch."""

import json
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

from pipeline.errors import ConfigError


def find_model(model: str) -> Path:
    """The folder that holds a model.

    Raises:
        ConfigError: there is none.
    """
    if Path(model).is_dir():
        return Path(model)
    try:
        return Path(snapshot_download(model, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError) as error:
        raise ConfigError(
            f"[tagging.transformers] model {model!r} is neither a folder nor fetched: "
            f"run hf download {model}, or name a folder"
        ) from error


def labels_in(folder: Path) -> list[str]:
    """The labels that a model's configuration names, in its order.

    Raises:
        ConfigError: there is no configuration of a model.
    """
    try:
        names = json.loads((folder / "config.json").read_bytes())["id2label"]
        return [str(names[number]) for number in sorted(names, key=int)]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"[tagging.transformers] {folder} holds no text-classification model: its "
            "config.json names no labels; name another"
        ) from error
