"""The package's English models in a folder of their own, some left out."""

from collections.abc import Collection
from pathlib import Path

from pipeline.tagging.encoder import SHIPPED


def link_shipped(folder: Path, without: Collection[str]) -> Path:
    """Makes `folder`, with links to all files but those of these names."""
    folder.mkdir()
    for path in SHIPPED.iterdir():
        if path.name not in without:
            (folder / path.name).symlink_to(path)
    return folder
