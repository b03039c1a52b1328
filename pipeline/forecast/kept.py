"""What was said of a series by last night, so that tonight only adds to it.

Every row is a function of the days up to it, so the rows up to the first day that
changed hold, and what is made of them is the same as if all were made anew.
"""

import hashlib
import io
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import numpy as np

from pipeline.forecast.series import Array

_LIBRARIES = ("numpy", "scipy", "statsmodels")
_DIGEST = hashlib.sha256().digest_size


@dataclass(frozen=True, eq=False)
class Kept:
    """Rows that were said of a series.

    Args:
        start: the first day.
        horizon: days ahead.
        seen: all that was known of the days, shape (kinds, days); NaN: unknown.
        rows: by name, the first axis is the days.
    """

    start: date
    horizon: int
    seen: Array
    rows: Mapping[str, Array]

    def holding(self, start: date, horizon: int, seen: Array) -> dict[str, Array]:
        """The rows that hold for days seen now: those up to the first that changed.

        None where they start on another day or are forecast another time ahead.
        """
        if (self.start, self.horizon, len(self.seen)) != (start, horizon, len(seen)):
            return {}
        days = _alike(self.seen, seen)
        return {name: rows[:days] for name, rows in self.rows.items()}


def read(path: Path) -> Kept | None:
    """What was written to `path`.

    None if nothing was, if it is damaged, or if other code or libraries wrote it.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return None
    payload = content[_DIGEST:]
    if content[:_DIGEST] != _digest(payload):
        return None
    with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    return Kept(
        start=date.fromordinal(int(found.pop("start"))),
        horizon=int(found.pop("horizon")),
        seen=found.pop("seen"),
        rows=found,
    )


def write(path: Path, kept: Kept) -> None:
    """Put it in place of what was written to `path`: all of it, or nothing.

    A disk that is full or forbids it costs the next night time, and nothing else.
    """
    payload = io.BytesIO()
    np.savez(
        payload,
        allow_pickle=False,
        start=kept.start.toordinal(),
        horizon=kept.horizon,
        seen=kept.seen,
        **kept.rows,
    )
    content = payload.getvalue()
    fresh = path.with_name(path.name + ".new")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(_digest(content) + content)
        fresh.replace(path)


def _alike(before: Array, now: Array) -> int:
    """How many of the first days are the same, unknown ones among them."""
    days = min(before.shape[1], now.shape[1])
    before, now = before[:, :days], now[:, :days]
    same = (before == now) | (np.isnan(before) & np.isnan(now))
    changed = ~same.all(axis=0)
    return int(np.argmax(changed)) if changed.any() else days


def _digest(payload: bytes) -> bytes:
    return hashlib.sha256(_code() + payload).digest()


@cache
def _code() -> bytes:
    """Of all that decides what is said of a series: this package and what it uses."""
    digest = hashlib.sha256()
    for file in sorted(files("pipeline.forecast").iterdir(), key=lambda at: at.name):
        if file.name.endswith(".py"):
            digest.update(file.read_bytes())
    for library in _LIBRARIES:
        digest.update(version(library).encode())
    return digest.digest()
