"""How far long work is: a bar on a terminal, a line of log now and then elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

import structlog
from tqdm import tqdm

FIRST_S, EVERY_S = 10.0, 60.0
"""Until the first line, which holds the first estimate; and between lines."""

PATIENCE_MINUTES = 120.0
"""What a stage may take before the log says how to make it shorter."""

log = structlog.get_logger()

Advance = Callable[..., None]
"""Tells of some work done, and of figures by name."""


@contextmanager
def progress(
    title: str,
    done: int,
    total: int,
    *,
    shown: bool,
    clock: Callable[[], float] = monotonic,
) -> Iterator[Advance]:
    """Tell of `total` pieces of work, of which some are done.

    Args:
        title: what is worked on.
        done: pieces that an earlier run did.
        total: all pieces.
        shown: on a terminal.
        clock: seconds.
    """
    if not shown:
        yield _Lines(title, done, total, clock).advance
        return
    with tqdm(desc=title, initial=done, total=total) as bar:

        def advance(pieces: int = 1, **figures: float) -> None:
            bar.set_postfix(figures, refresh=False)
            bar.update(pieces)

        yield advance


class _Lines:
    """Progress as events; the first ones say how long all will take."""

    def __init__(
        self, title: str, done: int, total: int, clock: Callable[[], float]
    ) -> None:
        self._title, self._total, self._clock = title, total, clock
        self._done = self._first = done
        self._start = clock()
        self._next = self._start + FIRST_S
        self._warned = False
        log.info("training-started", what=title, done=done, total=total)

    def advance(self, pieces: int = 1, **figures: float) -> None:
        self._done += pieces
        now = self._clock()
        if now < self._next and self._done < self._total:
            return
        self._next = now + EVERY_S
        pace = (now - self._start) / (self._done - self._first)
        minutes = pace * (self._total - self._done) / 60
        log.info(
            "training-progress",
            what=self._title,
            done=self._done,
            total=self._total,
            minutes_left=round(minutes, 1),
            **{name: round(figure, 4) for name, figure in figures.items()},
        )
        if minutes > PATIENCE_MINUTES and not self._warned:
            self._warned = True
            log.warning("training-long", what=self._title, hint="use --subset N")
