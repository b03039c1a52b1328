"""Records of the log as Arrow tables, shaped like the warehouse's own."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from pipeline.records import DeadLetter, Mark, Pulse, TaggedMessage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_MARKS = pa.list_(
    pa.struct([("task", pa.string()), ("label", pa.string()), ("score", pa.float32())])
)


def messages_table(records: Iterable[TaggedMessage]) -> pa.Table:
    """One row a revision that is no deletion, without its text.

    Of records with one key the first counts; of marks only the flagged.
    """
    unique: dict[tuple[str, str, int], TaggedMessage] = {}
    for record in records:
        if not record.message.deleted:
            unique.setdefault(record.message.key, record)
    messages = [record.message for record in unique.values()]
    return pa.table(
        {
            "source": _strings(m.source for m in messages),
            "platform": _strings(m.platform for m in messages),
            "id": _strings(m.id for m in messages),
            "revision": pa.array([m.revision for m in messages], pa.int64()),
            "kind": _strings(m.kind for m in messages),
            "channel": _strings(m.channel for m in messages),
            "author": pa.array([int(m.author, 16) for m in messages], pa.uint64()),
            "bot": pa.array([m.bot for m in messages], pa.bool_()),
            "sent_at": _times(m.sent_at for m in messages),
            "language": _strings(m.language for m in messages),
            "marks": pa.array([_marks(r.marks) for r in unique.values()], _MARKS),
        }
    )


def edits_table(records: Iterable[TaggedMessage]) -> pa.Table:
    """One row a revision after the first, and one a deletion."""
    edits = {
        (m.source, m.id, m.revision, m.deleted)
        for m in (record.message for record in records)
        if m.revision > 0 or m.deleted
    }
    rows = sorted(edits)
    return pa.table(
        {
            "source": _strings(row[0] for row in rows),
            "id": _strings(row[1] for row in rows),
            "revision": pa.array([row[2] for row in rows], pa.int64()),
            "deleted": pa.array([row[3] for row in rows], pa.bool_()),
        }
    )


def taggers_table(records: Iterable[TaggedMessage]) -> pa.Table:
    """The name of every tagger that flagged something."""
    names = {mark.tagger for r in records for mark in r.marks if mark.flagged}
    return pa.table({"tagger": _strings(sorted(names))})


def pulses_table(pulses: Iterable[Pulse]) -> pa.Table:
    """Every state of a source on a day, once."""
    rows = sorted({(p.source, (p.at - _EPOCH) // _DAY, p.state) for p in pulses})
    return pa.table(
        {
            "source": _strings(row[0] for row in rows),
            "day": pa.array([row[1] for row in rows], pa.date32()),
            "state": _strings(row[2] for row in rows),
        }
    )


def dead_letters_table(letters: Iterable[DeadLetter]) -> pa.Table:
    """Where each dead letter came from and what stage refused it."""
    rows = sorted({(f"{d.topic}:{d.partition}:{d.offset}", d.stage) for d in letters})
    return pa.table(
        {
            "origin": _strings(row[0] for row in rows),
            "stage": _strings(row[1] for row in rows),
        }
    )


def _marks(marks: Sequence[Mark]) -> list[dict[str, str | float]]:
    best: dict[tuple[str, str], float] = {}
    for mark in marks:
        if mark.flagged:
            key = (mark.task, mark.label)
            best[key] = max(mark.score, best.get(key, 0.0))
    return [
        {"task": task, "label": label, "score": score}
        for (task, label), score in best.items()
    ]


def _strings(values: Iterable[str | None]) -> pa.Array:
    return pa.array(list(values), pa.string())


def _times(values: Iterable[datetime]) -> pa.Array:
    # A hundred times faster than handing over datetimes with a time zone.
    micros = [(value - _EPOCH) // _MICROSECOND for value in values]
    return pa.array(micros, pa.timestamp("us"))
