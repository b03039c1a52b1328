"""Attacks on the gate and on the loader: whatever comes, in whatever order.

A reference in plain Python, written from the rules and not from the SQL, says what may
be published at most; and an attacker subtracts cells that lie within others.
"""

import math
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.records import Message, TaggedMessage
from pipeline.tagging.labels import Label
from pipeline.warehouse.testing import SmallWarehouse, Tables, tagged

LABELS = [
    Label(
        task=task,
        label=label,
        parent=None,
        definition="a label",
        reference="a paper",
        min_authors=min_authors,
        finest="hour" if task != "marker" else "day",
        default_off=False,
    )
    for task, label, min_authors in (
        ("basic-emotion", "anger", 5),
        ("cause", "bug", 5),
        ("marker", "stress", 10),
    )
]
UNKNOWN = ("basic-emotion", "unknown")
NAMES = [label.key for label in LABELS] + [UNKNOWN]

# Around midnight, the turn of the year, of an ISO week, and of 1970.
TIMES = [
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2027, 1, 1, 0, 0, tzinfo=UTC),
    datetime(2027, 1, 3, 23, 30, tzinfo=UTC),
    datetime(2027, 1, 4, 0, 0, tzinfo=UTC),
    datetime(2027, 1, 4, 0, 59, 59, tzinfo=UTC),
]
LATER = datetime(2027, 2, 1, tzinfo=UTC)
CHANNELS = [("one", "x"), ("one", "y/z"), ("two", "x")]


class Shape(NamedTuple):
    """A handful of messages of authors numbered from 0: how cells come about."""

    where: tuple[str, str]
    at: datetime
    authors: int
    marked: tuple[int, int, int, int]
    each: int
    bot: bool


shapes = st.builds(
    Shape,
    st.sampled_from(CHANNELS),
    st.sampled_from(TIMES),
    st.sampled_from([1, 3, 4, 5, 6, 9, 10, 11]),
    st.tuples(*[st.sampled_from([0, 0, 1, 2, 3, 4, 5, 10, 11])] * 4),
    st.integers(1, 2),
    st.sampled_from([False, False, False, True]),
)


def messages_of(shape: Shape, number: int) -> Iterator[TaggedMessage]:
    for author in range(shape.authors):
        labels = [
            name
            for name, marked in zip(NAMES, shape.marked, strict=True)
            if author < marked
        ]
        for copy in range(shape.each):
            source, channel = shape.where
            yield tagged(
                f"{number}-{author}-{copy}",
                shape.at,
                labels,
                source=source,
                channel=channel,
                author=author,
                bot=shape.bot,
            )


corpora = st.lists(shapes, min_size=1, max_size=6).map(
    lambda several: [
        record for i, shape in enumerate(several) for record in messages_of(shape, i)
    ]
)


@st.composite
def edited_corpora(draw: st.DrawFn) -> list[TaggedMessage]:
    """A corpus, some of whose messages were edited, moved or deleted."""
    records = draw(corpora)
    edits = draw(
        st.lists(
            st.tuples(
                st.integers(0, len(records) - 1),
                st.integers(0, 3),
                st.booleans(),
                st.sampled_from(TIMES),
                st.sets(st.sampled_from(NAMES)),
            ),
            max_size=8,
        )
    )
    by_key = {(r.message.key, r.message.deleted): r for r in records}
    for index, revision, deleted, at, labels in edits:
        old = records[index].message
        record = tagged(
            old.id,
            at,
            sorted(labels),
            source=old.source,
            channel=old.channel,
            author=int(old.author, 16),
            revision=revision,
            deleted=deleted,
        )
        by_key.setdefault((record.message.key, deleted), record)
    return list(by_key.values())


# ── the reference ───────────────────────────────────────────────────────────────


def current(records: Iterable[TaggedMessage]) -> list[TaggedMessage]:
    """Of each message the highest revision, if that is no deletion; no bots."""
    newest: dict[tuple[str, str], TaggedMessage] = {}
    for record in records:
        message = record.message
        known = newest.get((message.source, message.id))
        if known is None or rank_of(message) > rank_of(known.message):
            newest[message.source, message.id] = record
    return [
        record
        for record in newest.values()
        if not record.message.deleted and not record.message.bot
    ]


def rank_of(message: Message) -> tuple[float, bool]:
    """A deletion that no revision is named for stands above all revisions."""
    if message.deleted and message.revision == 0:
        return math.inf, True
    return message.revision, message.deleted


def hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0, tzinfo=None)


def week_of(at: datetime) -> date:
    return at.date() - timedelta(days=at.weekday())


GRAINS: dict[str, Callable[[datetime], Any]] = {
    "prevalence_hourly": hour_of,
    "prevalence_daily": datetime.date,
    "prevalence_weekly": week_of,
    "causes_daily": datetime.date,
}


def allowed(records: list[TaggedMessage]) -> Tables:
    """Every row that may be published, straight from the rules."""
    cells: dict[tuple[str, str, Any], list[TaggedMessage]] = defaultdict(list)
    for record in current(records):
        message = record.message
        channel = f"{message.source}/{message.channel}"
        for table, start_of in GRAINS.items():
            for scope in ("all", message.source, channel):
                cells[table, scope, start_of(message.sent_at)].append(record)
    tables: Tables = {table: [] for table in GRAINS}
    for (table, scope, start), members in cells.items():
        for label in LABELS:
            row = cell_of(label, members)
            if row and belongs(label, table):
                name = label.key if table != "causes_daily" else (label.label,)
                tables[table].append((scope, start, *name, *row))
    return {table: sorted(rows, key=repr) for table, rows in tables.items()}


def belongs(label: Label, table: str) -> bool:
    if (label.task == "cause") is not (table == "causes_daily"):
        return False
    return table != "prevalence_hourly" or label.finest == "hour"


def cell_of(
    label: Label, members: list[TaggedMessage]
) -> tuple[int, int, int, float] | None:
    marked = [
        record
        for record in members
        if label.key in {(mark.task, mark.label) for mark in record.marks}
    ]
    authors = {record.message.author for record in members}
    marked_authors = {record.message.author for record in marked}
    if len(authors) < label.min_authors:
        return None
    if len(marked_authors) in (1, 2) or marked_authors == authors:
        return None
    return len(members), len(authors), len(marked), len(marked) / len(members)


# ── the properties ──────────────────────────────────────────────────────────────


@contextmanager
def small_warehouse() -> Iterator[SmallWarehouse]:
    with tempfile.TemporaryDirectory() as folder:
        warehouse = SmallWarehouse(Path(folder), LABELS)
        try:
            yield warehouse
        finally:
            warehouse.close()


def published_cells(warehouse: SmallWarehouse) -> Tables:
    return {table: warehouse.tables()[table] for table in GRAINS}


def examples(number: int) -> settings:
    """Each makes a warehouse or two, which takes a fifth of a second."""
    slow = [HealthCheck.too_slow]
    return settings(max_examples=number, deadline=None, suppress_health_check=slow)


@examples(40)
@given(edited_corpora())
def test_nothing_but_what_the_rules_allow_is_published(
    records: list[TaggedMessage],
) -> None:
    with small_warehouse() as warehouse:
        warehouse.load(*records)
        warehouse.publish(LATER)
        permitted = allowed(records)
        for table, rows in published_cells(warehouse).items():
            assert set(rows) <= set(permitted[table])


@examples(40)
@given(edited_corpora())
def test_a_lone_channel_is_published_as_far_as_the_rules_allow(
    records: list[TaggedMessage],
) -> None:
    """All its scopes are one, so of its days nothing is told by subtraction."""
    alone = [record for record in records if record.message.channel == "y/z"]
    with small_warehouse() as warehouse:
        warehouse.load(*alone)
        warehouse.publish(LATER)
        for table in ("prevalence_daily", "causes_daily"):
            assert published_cells(warehouse)[table] == allowed(alone)[table]


@examples(40)
@given(edited_corpora())
def test_no_difference_of_cells_tells_what_the_gate_withholds(
    records: list[TaggedMessage],
) -> None:
    with small_warehouse() as warehouse:
        warehouse.load(*records)
        warehouse.publish(LATER)
        tables = published_cells(warehouse)
    people = current(records)
    for label in LABELS:
        for rest in rests(label, tables, people):
            assert not rest or cell_of(label, rest) is not None


def rests(
    label: Label, tables: Tables, people: list[TaggedMessage]
) -> Iterator[list[TaggedMessage]]:
    """What is left of each published cell without the published ones in it."""
    for table, finer in FINER.items():
        cells = starts_of(label, tables[table])
        for scope, start in cells:
            of = members(people, scope, table, start)
            inner = [s for s, at in cells if at == start and holder_of(s) == scope]
            if inner:
                yield [r for r in of if not any(within(r, s) for s in inner)]
            if finer:
                times = {at for s, at in starts_of(label, tables[finer]) if s == scope}
                left = [r for r in of if GRAINS[finer](r.message.sent_at) not in times]
                if len(left) < len(of):
                    yield left


FINER = {
    "prevalence_hourly": None,
    "prevalence_daily": "prevalence_hourly",
    "prevalence_weekly": "prevalence_daily",
    "causes_daily": None,
}


def starts_of(label: Label, rows: Iterable[tuple[Any, ...]]) -> set[tuple[str, Any]]:
    return {row[:2] for row in rows if label.label in row[2:4]}


def holder_of(scope: str) -> str | None:
    if scope == "all":
        return None
    return scope.partition("/")[0] if "/" in scope else "all"


def within(record: TaggedMessage, scope: str) -> bool:
    source, channel = record.message.source, record.message.channel
    return scope in ("all", source, f"{source}/{channel}")


def members(
    people: list[TaggedMessage], scope: str, table: str, start: Any
) -> list[TaggedMessage]:
    start_of = GRAINS[table]
    return [
        r for r in people if within(r, scope) and start_of(r.message.sent_at) == start
    ]


@examples(25)
@given(edited_corpora(), st.randoms(use_true_random=False))
def test_repeating_reordering_and_splitting_change_nothing(
    records: list[TaggedMessage], chance: random.Random
) -> None:
    with small_warehouse() as warehouse:
        warehouse.load(*records)
        warehouse.publish(LATER)
        expected = warehouse.tables()
    with small_warehouse() as warehouse:
        for batch in batches(records, chance):
            warehouse.load(*batch)
            warehouse.publish(LATER)
        assert warehouse.tables() == expected


def batches(
    records: list[TaggedMessage], chance: random.Random
) -> list[list[TaggedMessage]]:
    """Each record at least once: in any order, or every edit after what it edits."""
    if chance.random() < 0.5:
        originals = [r for r in records if r.message.revision == 0]
        edits = [r for r in records if r.message.revision > 0]
        return [originals, edits]
    repeated = records + chance.choices(records, k=len(records))
    chance.shuffle(repeated)
    cuts = sorted(chance.choices(range(len(repeated)), k=3))
    return [repeated[i:j] for i, j in pairwise([0, *cuts, len(repeated)])]


@examples(10)
@given(corpora)
def test_no_published_cell_singles_anybody_out(records: list[TaggedMessage]) -> None:
    """The promise itself, checked on the published rows without the reference."""
    with small_warehouse() as warehouse:
        warehouse.load(*records)
        warehouse.publish(LATER)
        for table in GRAINS:
            for row in warehouse.tables()[table]:
                *_, messages, authors, marked, _prevalence = row
                assert authors >= (10 if "marker" in row else 5)
                assert marked not in (1, 2)
                assert marked < messages
