"""Scopes a few at a time: all labels of all their cells would fill the memory."""

from collections.abc import Iterable, Iterator

SLICE_ROWS = 1_000_000
"""Rows that are handled at once, before the gate takes most of them away."""


def slices(sizes: Iterable[tuple[str, int]]) -> Iterator[tuple[str, str]]:
    """First and last scope of each slice, of at most `SLICE_ROWS` where one can.

    Args:
        sizes: the rows of each scope, in the order of the scopes.
    """
    first, last, rows = "", "", 0
    for scope, size in sizes:
        if rows and rows + size > SLICE_ROWS:
            yield first, last
            rows = 0
        first, last, rows = first if rows else scope, scope, rows + size
    if rows:
        yield first, last
