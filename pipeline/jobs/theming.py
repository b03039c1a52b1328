"""Themes beside the loading: a process of its own reads the log and finds them.

The warehouse holds no text, so the causes are read where the messages still are, on the
log. It does not matter how often this is killed: the same log gives the same themes.
"""

import math
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from datetime import date, timedelta
from heapq import nlargest
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import structlog

from pipeline.config import LogSettings
from pipeline.errors import GroundswellError
from pipeline.jobs import beside
from pipeline.jobs.forecasting import NICENESS
from pipeline.jobs.pace import Pace
from pipeline.log.message_log import MessageLog, Stored
from pipeline.log.open import open_log
from pipeline.log.slices import read_slice
from pipeline.records import Mark, Message, TaggedMessage, decode
from pipeline.tagging.lexicon import Span
from pipeline.tagging.masking import BLANK, mask
from pipeline.themes.found import MOST_CAUSES, Cause, Theme
from pipeline.warehouse.themes import ThemeStore

Newest = dict[tuple[str, str], tuple[float, Cause | None]]
"""Source and id -> the newest revision's rank and what it names, if anything."""

Found = tuple[list[Theme], dict[date, int]]
"""Themes, and how many causes of each week they were found in."""

FRUSTRATED = frozenset(
    {
        ("basic-emotion", "anger"),
        ("basic-emotion", "sadness"),
        ("fine-emotion", "annoyance"),
        ("fine-emotion", "disappointment"),
        ("fine-emotion", "disapproval"),
        ("fine-emotion", "frustration"),
    }
)
"""Emotions whose causes make themes."""

PLEASED = frozenset(
    {("basic-emotion", label) for label in ("joy", "love")}
    | {
        ("fine-emotion", label)
        for label in (
            "admiration",
            "amusement",
            "approval",
            "excitement",
            "gratitude",
            "joy",
            "love",
            "optimism",
            "pride",
            "relief",
        )
    }
)
"""Emotions whose causes make none: a message may praise one thing and curse another."""

EVERY_S = 60.0
REST = 50.0
"""After a round, this many times as long passes before the next."""

MOST_CHARACTERS = 500
_ROOM = 4
_TASK = "cause-span"
_STOP = re.compile(r"[.!?]+(?=\s)|\n")
_SIGNS = (b'"cause-span"', b'"revision"', b'"deleted"')
"""One of these is in every record that names a cause, or takes one back."""

log = structlog.get_logger()


def causes_on(message_log: MessageLog) -> list[Cause]:
    """What frustrated whom and when, by the newest revision of each message.

    They are in order, and of more than `MOST_CAUSES` the newest.

    Raises:
        LogError: the log cannot be read.
    """
    newest: Newest = {}
    for stored in _signs_of_causes(message_log):
        try:
            tagged = decode(stored.value, TaggedMessage)
        except ValueError:
            continue  # the loader buries it
        source, identity, _ = tagged.message.key
        rank = _rank(tagged.message)
        known, _ = newest.get((source, identity), (-1, None))
        if rank >= known:
            newest[source, identity] = (rank, cause_in(tagged))
        if len(newest) > _ROOM * MOST_CAUSES:
            newest = _newest_weeks(newest)
    causes = [cause for _, cause in newest.values() if cause is not None]
    return sorted(causes)[-MOST_CAUSES:]


def _rank(message: Message) -> float:
    """Which revision counts, as cells.sql has it: the highest.

    A deletion stands above what it shares its number with; one without a number of its
    own above whatever there is.
    """
    if message.deleted and message.revision == 0:
        return math.inf
    return 2 * message.revision + message.deleted


def _newest_weeks(newest: Newest) -> Newest:
    """What is worth keeping while there is more to read."""
    named = ((found, key) for key, found in newest.items() if found[1] is not None)
    return {key: found for found, key in nlargest(MOST_CAUSES, named, key=_week)}


def _week(entry: tuple[tuple[float, Cause | None], tuple[str, str]]) -> Cause:
    (_, cause), _ = entry
    assert cause is not None
    return cause


def cause_in(tagged: TaggedMessage) -> Cause | None:
    """The words in which a frustrated person says why, without code, if any."""
    message = tagged.message
    flagged = [mark for mark in tagged.marks if mark.flagged]
    places = [mark.evidence for mark in flagged if mark.task == _TASK]
    hurts = [mark for mark in flagged if (mark.task, mark.label) in FRUSTRATED]
    if message.bot or message.deleted or not hurts or not places or not places[0]:
        return None
    start, end = places[0]
    prose = mask(message.text)
    pleased = [mark for mark in flagged if (mark.task, mark.label) in PLEASED]
    if _beside(prose, places[0], pleased) and not _beside(prose, places[0], hurts):
        return None
    words = prose[start : min(end, start + MOST_CHARACTERS)]
    day = message.sent_at.date()
    monday = day - timedelta(days=day.weekday())
    return Cause(monday, message.author, words.replace(BLANK, " "))


def _beside(text: str, place: Span, marks: Sequence[Mark]) -> bool:
    """Whether the evidence of a mark is in the sentences of a place."""
    first = max((s.end() for s in _STOP.finditer(text, 0, place[0])), default=0)
    stop = _STOP.search(text, max(place[0], place[1] - 1))
    last = stop.start() if stop else len(text)
    found = (mark.evidence for mark in marks if mark.context is None)
    return any(one is not None and first <= one[0] <= last for one in found)


def _signs_of_causes(message_log: MessageLog) -> Iterator[Stored]:
    for partition, (first, end) in message_log.bounds("tagged").items():
        for stored in read_slice(message_log, "tagged", partition, first, end):
            if any(sign in stored.value for sign in _SIGNS):
                yield stored


class Theming:
    """Keeps themes up to date with the log, one round after the other.

    Args:
        store: where themes are kept.
        settings: the log that the other process opens.
        min_authors: of a theme, and of each of its words.
    """

    def __init__(
        self, store: ThemeStore, settings: LogSettings, min_authors: int
    ) -> None:
        self._store = store
        self._settings = settings
        self._min_authors = min_authors
        self._asked = False
        self._pace = Pace(EVERY_S)
        self._started = 0.0
        self._taken_back: dict[date, int] = {}
        self._worker: BaseProcess | None = None
        self._results: Connection | None = None

    @property
    def busy(self) -> bool:
        """Whether a round is asked for or under way."""
        return self._asked or self._worker is not None

    def ask(self) -> None:
        """Have a round made, once it is time."""
        self._asked = True

    def go_on(self, wait_s: float = 0.0) -> None:
        """Start a round that is asked for, or keep what one has found.

        Args:
            wait_s: how long to wait for it.

        Raises:
            WarehouseError: themes cannot be kept.
        """
        if self._results is None:
            if self._asked and self._pace.due():
                self._asked = False
                self._start_worker()
        elif self._results.poll(wait_s):
            # A worker that died found nothing; a later round tries again.
            with suppress(EOFError, OSError):
                self._keep(*self._results.recv())
            self._pace.rest(REST * (time.monotonic() - self._started))
            self.stop()

    def stop(self) -> None:
        """End the worker at once; its work is redone later."""
        if self._worker is not None and self._results is not None:
            beside.end(self._worker, self._results)
        self._worker = self._results = None

    def _start_worker(self) -> None:
        # Before the log is read: what is taken back meanwhile shows the next time.
        self._taken_back = self._store.taken_back()
        self._worker, self._results = beside.start(
            _work, self._settings, self._min_authors
        )
        self._started = time.monotonic()

    def _keep(self, themes: list[Theme], causes: dict[date, int]) -> None:
        # Imported where it is needed: clustering brings much that loading does without.
        from pipeline.themes.find import recognise  # noqa: PLC0415

        numbered = recognise(themes, self._store.known())
        self._store.keep(numbered, causes, self._taken_back)
        log.info("themes-found", themes=len(themes), causes=sum(causes.values()))


def _work(sender: Connection, settings: LogSettings, min_authors: int) -> None:
    from pipeline.themes.find import find_themes  # noqa: PLC0415

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ours is the parent's to stop
    os.nice(NICENESS)
    # The parent sees from the pipe's end that there is nothing to keep.
    with suppress(BrokenPipeError, GroundswellError):
        with closing(open_log(settings)) as message_log:
            causes = causes_on(message_log)
        weeks = Counter(cause.week for cause in causes)
        sender.send((find_themes(causes, min_authors), dict(weeks)))
