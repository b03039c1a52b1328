"""Print the rows of a query: a table for people, JSON lines or CSV for scripts."""

import csv
from collections.abc import Sequence
from typing import Any, Literal, TextIO

import msgspec
import pyarrow as pa

from pipeline.errors import InputError

MAX_WIDTH = 60

Shape = Literal["table", "json", "csv"]


def print_rows(rows: pa.Table, shape: Shape, stream: TextIO) -> None:
    """Write `rows` to `stream` in the `shape` asked for, batch by batch.

    Raises:
        InputError: a value lies outside what Python can hold.
    """
    try:
        _print(rows, shape, stream)
    except (OverflowError, ValueError) as error:
        raise InputError(
            f"a value cannot be shown ({error}): cast it to VARCHAR"
        ) from error


def _print(rows: pa.Table, shape: Shape, stream: TextIO) -> None:
    # DuckDB's sums of integers are decimals.
    encoder = msgspec.json.Encoder(decimal_format="number")
    if shape == "csv":
        csv.writer(stream).writerow(rows.column_names)
    for batch in rows.to_batches(max_chunksize=10_000):
        if shape == "csv":
            csv.writer(stream).writerows(zip(*batch.to_pydict().values(), strict=True))
        elif shape == "json":
            stream.writelines(
                encoder.encode(row).decode() + "\n" for row in batch.to_pylist()
            )
    if shape == "table":
        values = [[_cell(value) for value in row.values()] for row in rows.to_pylist()]
        _print_table(rows.column_names, values, stream)


def _print_table(
    names: Sequence[str], values: Sequence[Sequence[str]], stream: TextIO
) -> None:
    widths = [max(map(len, column)) for column in zip(names, *values, strict=True)]
    for row in (names, ["-" * width for width in widths], *values):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        stream.write("  ".join(cells).rstrip() + "\n")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= MAX_WIDTH else text[: MAX_WIDTH - 1] + "…"
