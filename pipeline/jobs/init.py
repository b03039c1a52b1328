"""Write the first groundswell.toml, and the secret that keys the pseudonyms."""

import os
import secrets
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from pipeline import config as configuration
from pipeline.errors import ConfigError

SECRET_BYTES = 32


def init(path: Path, environ: Mapping[str, str]) -> list[Path]:
    """Write the configuration `path` and, unless there is one, a secret.

    Returns:
        The files written.

    Raises:
        ConfigError: `path` exists or its folder cannot be written to.
    """
    if path.exists():
        raise ConfigError(f"{path} exists already: edit it, or remove it first")
    template = files("pipeline.jobs").joinpath("groundswell.toml").read_bytes()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _create(path, template, mode=0o644)
        config = configuration.load(path)
        secret_file = Path(config.privacy.secret_file)
        if configuration.SECRET_VARIABLE in environ or secret_file.exists():
            return [path]
        secret_file.parent.mkdir(parents=True, exist_ok=True)
        _create(secret_file, secrets.token_hex(SECRET_BYTES).encode(), mode=0o600)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written ({error.strerror}): choose another folder"
        ) from error
    return [path, secret_file]


def _create(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
