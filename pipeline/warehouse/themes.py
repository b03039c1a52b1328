"""Where themes are kept from one day to the next, until they are published."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import duckdb

from pipeline.themes.found import Theme, Weights
from pipeline.warehouse.database import explained, transaction

# Fewer causes than before are retention's work, unless some were taken back.
_WEEKS = """
SELECT week
FROM (
    SELECT unnest($weeks::DATE[]) AS week, unnest($causes::INTEGER[]) AS causes
) AS found
LEFT JOIN theme_causes AS known USING (week)
WHERE found.causes >= coalesce(known.causes, 0)
UNION
SELECT week
FROM (SELECT unnest($taken_weeks::DATE[]) AS week, unnest($taken::BIGINT[]) AS taken)
JOIN theme_causes AS known USING (week)
WHERE taken > known.taken_back
"""


class ThemeStore:
    """Reads and writes themes.

    Args:
        connection: to the warehouse at `path`, from `open_warehouse`.
        path: for messages.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def known(self) -> dict[int, Weights]:
        """The words of every theme that there ever was, by its number."""
        with explained(self._path):
            rows = self._connection.execute(
                "SELECT theme, words, weights FROM themes ORDER BY theme"
            ).fetchall()
        return {
            number: dict(zip(words, weights, strict=True))
            for number, words, weights in rows
        }

    def taken_back(self) -> dict[date, int]:
        """How many messages of each week stopped naming a cause, deleted or edited.

        As far as cells were counted. It only grows; retention takes none back.
        """
        sql = "SELECT week, sum(lost)::BIGINT FROM cause_losses GROUP BY week"
        with explained(self._path):
            return dict(self._connection.execute(sql).fetchall())

    def keep(
        self,
        themes: Sequence[tuple[int, Theme]],
        causes: Mapping[date, int],
        taken_back: Mapping[date, int],
    ) -> None:
        """Replace what is known of the weeks that `causes` come from.

        Where the log's retention took causes of a week away since the last time, that
        week stays as it was; unless some were taken back, so that nothing lingers that
        was deleted.

        Args:
            themes: with their numbers.
            causes: how many there are of each week.
            taken_back: from `taken_back`, before the causes were read.

        Raises:
            WarehouseError: what was kept is unchanged.
        """
        with explained(self._path), transaction(self._connection):
            given = {
                "weeks": list(causes),
                "causes": list(causes.values()),
                "taken_weeks": list(taken_back),
                "taken": list(taken_back.values()),
            }
            weeks = [
                row[0] for row in self._connection.execute(_WEEKS, given).fetchall()
            ]
            for table in ("theme_weeks", "theme_causes"):
                self._connection.execute(
                    f"DELETE FROM {table} WHERE list_contains(?, week)",  # noqa: S608 - one of our own
                    [weeks],
                )
            rows = [(w, causes.get(w, 0), taken_back.get(w, 0)) for w in weeks]
            self._insert("theme_causes", rows)
            for number, theme in themes:
                self._describe(number, theme)
                found = [(number, *week) for week in theme.weeks if week.week in weeks]
                self._insert("theme_weeks", found)

    def _describe(self, number: int, theme: Theme) -> None:
        self._connection.execute("DELETE FROM themes WHERE theme = ?", [number])
        words, weights = list(theme.weights), list(theme.weights.values())
        row = (number, ", ".join(theme.name), words, weights)
        self._insert("themes", [row])

    def _insert(self, table: str, rows: Sequence[tuple[object, ...]]) -> None:
        for row in rows:
            places = ", ".join("?" * len(row))
            self._connection.execute(
                f"INSERT INTO {table} VALUES ({places})",  # noqa: S608 - one of our own
                row,
            )
