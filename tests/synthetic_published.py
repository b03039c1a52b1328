"""A published file of invented figures, shaped like the demo's: with a crisis."""

import math
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

SQL = Path(__file__).parents[1] / "pipeline" / "warehouse" / "published.sql"
DAYS = 120
PEAK = 12
HORIZON = 7
ORIGINS = 60
SCOPES = {"all": 900, "ubuntu": 700, "ubuntu/#ubuntu": 500, "planted": 60}
EMOTIONS = {
    "anger": 0.03,
    "disgust": 0.01,
    "fear": 0.02,
    "joy": 0.08,
    "love": 0.05,
    "sadness": 0.025,
    "surprise": 0.03,
}
CAUSES = {
    "version-or-dependency": 0.02,
    "build-or-ci": 0.012,
    "failing-test": 0.008,
    "review-delay": 0.004,
    "merge-conflict": 0.003,
    "breaking-change": 0.01,
    "documentation": 0.009,
    "performance": 0.006,
    "environment": 0.014,
    "bug": 0.018,
    "unclear-requirement": 0.003,
    "tone": 0.002,
    "workload": 0.002,
    "other": 0.01,
}
MARKERS = {
    "stress": 0.02,
    "anxiety": 0.015,
    "burnout": 0.008,
    "sleep": 0.012,
    "loneliness": 0.004,
    "depressed-mood": 0.006,
    "anhedonia": 0.002,
    "appetite-change": 0.002,
    "sleep-disturbance": 0.004,
    "psychomotor-change": 0.001,
    "fatigue": 0.009,
    "worthlessness": 0.003,
    "poor-concentration": 0.005,
}
TASKS = {
    "basic-emotion": EMOTIONS,
    "fine-emotion": {"frustration": 0.05, "confusion": 0.04},
    "marker": MARKERS,
}
CRISIS = {"frustration": 3.0, "anger": 2.5, "stress": 2.5, "sadness": 1.6}
THEMES = ("flaky, test, runner", "review, pull, request", "cuda, version, install")
SERIES = (("fine-emotion", "frustration"), ("basic-emotion", "anger"))
MODELS = (
    *("last day", "last week", "mean", "drift", "7-day mean", "counts", "ETS"),
    *("Theta", "ARIMA", "ridge", "pooled ridge", "VAR", "combination"),
)

Rows = Iterator[tuple[Any, ...]]


def write(path: Path, now: datetime | None = None, notice: str = "Invented.") -> None:
    """Write the file to `path`, as if published at `now`."""
    now = now or datetime.now(UTC)
    today = now.date()
    with duckdb.connect(
        str(path), config={"storage_compatibility_version": "v1.5.0"}
    ) as connection:
        connection.execute(SQL.read_text(encoding="utf-8"))
        for table, rows in {
            "prevalence_daily": _daily(today),
            "prevalence_weekly": _weekly(today),
            "themes": _themes(today),
            "prevalence_hourly": _hourly(now),
            "causes_daily": _causes(today),
            "forecasts": _forecasts(today),
            "alarms": _alarms(today),
            "periods": _periods(today),
            "companions": _companions(today),
            "backtests": _backtests(),
            "coverage": _coverage(today),
        }.items():
            _insert(connection, table, list(rows))
        newest = (now - timedelta(seconds=40)).replace(tzinfo=None)
        _insert(
            connection,
            "about",
            [
                (
                    "0.1.0",
                    now.replace(tzinfo=None),
                    newest,
                    20_431,
                    3,
                    5,
                    10,
                    "l",
                    notice,
                )
            ],
        )


def _insert(connection: Any, table: str, rows: list[tuple[Any, ...]]) -> None:
    names = [row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()]
    for start in range(0, len(rows), 500):
        chunk = rows[start : start + 500]
        marks = ", ".join(["(" + ", ".join("?" * len(chunk[0])) + ")"] * len(chunk))
        known = ", ".join(names[: len(chunk[0])])
        connection.execute(
            f"INSERT INTO {table} ({known}) VALUES {marks}",
            [value for row in chunk for value in row],
        )


def _severity(days_ago: float) -> float:
    return math.exp(-(((days_ago - PEAK) / 5) ** 2))


def _share(label: str, usual: float, days_ago: float, chance: random.Random) -> float:
    wave = 1 + 0.15 * math.sin(days_ago / 7 * 2 * math.pi)
    crisis = 1 + (CRISIS.get(label, 1.0) - 1) * _severity(days_ago)
    return usual * wave * crisis * chance.uniform(0.75, 1.25)


def _cell(
    label: str, usual: float, days_ago: float, messages: int, k: int
) -> tuple[int, int, int, float] | None:
    chance = random.Random(f"{label}/{days_ago}/{messages}")
    messages = round(messages * chance.uniform(0.8, 1.2))
    marked = round(messages * _share(label, usual, days_ago, chance))
    authors = messages // 6
    if authors < k or 0 < marked < 3:
        return None
    return (messages, authors, marked, marked / messages)


def _cells(times: Rows, share: float) -> Rows:
    for days_ago, at in times:
        for scope, messages in SCOPES.items():
            for task, labels in TASKS.items():
                k = 10 if task == "marker" else 5
                for label, usual in labels.items():
                    amount = round(messages * share)
                    cell = _cell(label, usual, days_ago, amount, k)
                    if cell:
                        yield (scope, at, task, label, *cell)


def _daily(today: date) -> Rows:
    days = ((ago, today - timedelta(days=ago)) for ago in range(DAYS) if ago != 50)
    yield from _cells(days, 1.0)


def _weekly(today: date) -> Rows:
    monday = today - timedelta(days=today.weekday())
    weeks = ((7 * ago, monday - timedelta(weeks=ago)) for ago in range(DAYS // 7))
    yield from _cells(weeks, 7.0)


def _themes(today: date) -> Rows:
    monday = today - timedelta(days=today.weekday())
    for weeks_ago in range(1, DAYS // 7):
        for number, name in enumerate(THEMES, 1):
            messages = round((40 - 9 * number) * (1 + _severity(7 * weeks_ago)))
            week = monday - timedelta(weeks=weeks_ago)
            yield (week, number, name, messages, messages * 2 // 3)


def _hourly(now: datetime) -> Rows:
    hour = now.replace(minute=0, second=0, microsecond=0, tzinfo=None)
    hours = ((ago / 24, hour - timedelta(hours=ago)) for ago in range(72))
    yield from (row for row in _cells(hours, 1 / 10) if row[2] != "marker")


def _causes(today: date) -> Rows:
    for days_ago in range(DAYS):
        for scope, messages in SCOPES.items():
            for cause, usual in CAUSES.items():
                cell = _cell(cause, usual, days_ago, messages, 5)
                if cell:
                    yield (scope, today - timedelta(days=days_ago), cause, *cell)


def _forecasts(today: date) -> Rows:
    for scope in ("all", "ubuntu"):
        for task, label in SERIES:
            skill = label == "frustration"
            for ago in range(1, ORIGINS + 1):
                for step in range(1, HORIZON + 1):
                    late = max(0.0, _severity(ago - step / 2) - 0.1)
                    mean = TASKS[task][label] * (1 + late)
                    yield (
                        scope,
                        task,
                        label,
                        today - timedelta(days=ago),
                        today - timedelta(days=ago - step),
                        mean,
                        mean * (1 - 0.1 * step**0.5),
                        mean * (1 + 0.12 * step**0.5),
                        mean * (1 - 0.15 * step**0.5),
                        mean * (1 + 0.2 * step**0.5),
                        "combination" if skill else "7-day mean",
                        skill,
                    )


def _alarms(today: date) -> Rows:
    for scope in ("all", "ubuntu"):
        for task, label in SERIES:
            for ago in range(1, ORIGINS + 1):
                probability = min(0.95, 0.06 + 0.9 * _severity(ago - 4))
                limit = TASKS[task][label] * 1.5
                origin = today - timedelta(days=ago)
                yield (
                    *(scope, task, label, origin, "level", limit, probability),
                    *(probability > 0.5, label == "frustration"),
                )


def _periods(today: date) -> Rows:
    for scope in ("all", "ubuntu"):
        for task, label in SERIES:
            for kind, start, peak, end in (
                ("level", 17, PEAK, 8),
                ("rise", 18, PEAK, 9),
                ("level", 84, 82, 80),
            ):
                days = [today - timedelta(days=ago) for ago in (start, peak, end)]
                yield (scope, task, label, kind, *days, TASKS[task][label] * 2.8)


def _companions(today: date) -> Rows:
    started = today - timedelta(days=17)
    for scope in ("all", "ubuntu"):
        for task, label in SERIES:
            yield (scope, task, label, started, "cause", "build-or-ci", 0.02, 0.07)
            if scope == "all":
                yield (scope, task, label, started, "theme", THEMES[0], 0.01, 0.04)
            yield (scope, task, label, started, "marker", "stress", 0.03, 0.08)


def _backtests() -> Rows:
    for scope in ("all", "ubuntu"):
        for task, label in SERIES:
            best = "combination" if label == "frustration" else "7-day mean"
            for place, model in enumerate(MODELS):
                skill = model == best == "combination"
                yield (
                    *(scope, task, label, model, ORIGINS, 1.2 - 0.03 * place),
                    *(0.78, None, None, None, model == best, skill),
                )
            yield (
                *(scope, task, label, "published", ORIGINS, 0.75),
                *(0.81, 0.6, 0.75, 0.21, False, best == "combination"),
            )


def _coverage(today: date) -> Rows:
    for ago in range(DAYS):
        day = today - timedelta(days=ago)
        ubuntu = "failing" if 29 < ago < 33 else "ok"
        yield ("ubuntu", day, None if ubuntu == "failing" else 700 + ago % 90, ubuntu)
        yield ("planted", day, 60 if ago < 23 else 0, "ok")
        yield ("ubuntu-live", day, None, "stopped" if ago > 0 else "rate-limited")
