"""What is installed only by those who ask for it."""

from importlib import import_module
from typing import Any

from pipeline.errors import InputError


def needed(package: str, *, model: str, extra: str) -> Any:
    """The package that a model is made of.

    Raises:
        InputError: it is not installed.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        raise InputError(
            f"the model {model} needs {package}, which is not installed: "
            f"pip install 'groundswell[{extra}]'"
        ) from error
