"""Writes the dashboards' JSON, for Grafana and the viewer alike."""

import json
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import forecast, overview

GENERATED = Path(__file__).parent / "generated"


def build_all() -> dict[str, dict[str, Any]]:
    """Every dashboard by its file's name, without the suffix, as plain JSON."""
    return {
        module.__name__.rpartition(".")[2]: json.loads(
            JSONEncoder(sort_keys=True).encode(module.build().build())
        )
        for module in (overview, forecast)
    }


def write_all(folder: Path = GENERATED) -> list[Path]:
    """Write every dashboard into `folder`; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, dashboard in build_all().items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(dashboard, indent=2, sort_keys=True) + "\n")
        paths.append(path)
    return paths
