"""Queries of the published file, which cannot reach anything else."""

from itertools import count
from pathlib import Path

import duckdb
import pyarrow as pa

from pipeline.errors import InputError, WarehouseError
from pipeline.warehouse.database import explained


def query(published: Path, sql: str) -> pa.Table:
    """The rows that `sql` asks of the published file, of its last statement.

    It runs read-only, without files, network, extensions or Python's variables.

    Raises:
        WarehouseError: the file cannot be opened.
        InputError: the query cannot be run.
    """
    if not published.exists():
        raise WarehouseError(
            f"{published} does not exist yet: `groundswell run` publishes it"
        )
    with explained(published):
        connection = duckdb.connect(
            str(published),
            read_only=True,
            config={
                "enable_external_access": False,
                "lock_configuration": True,
                "python_enable_replacements": False,
            },
        )
    with connection:
        try:
            relation = connection.sql(sql)
            rows = pa.table({}) if relation is None else relation.to_arrow_table()
        except duckdb.Error as error:
            raise InputError(_sentence(error)) from error
    return rows.rename_columns(_distinct(rows.column_names))


def _sentence(error: duckdb.Error) -> str:
    # The lines after the empty one draw where in the query the fault lies.
    reason = " ".join(str(error).split("\n\n")[0].split())
    return f"the query cannot be run ({reason}): correct it"


def _distinct(names: list[str]) -> list[str]:
    """`SELECT *` of a join may bring a name twice, where scripts need it once."""
    distinct: list[str] = []
    for name in names:
        candidates = (f"{name}_{i}" if i else name for i in count())
        distinct.append(next(each for each in candidates if each not in distinct))
    return distinct
