"""Who wrote, as a name that means nothing elsewhere and nothing after a quarter."""

import hmac
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_FIRST_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
_PERIOD = timedelta(weeks=13)
_DIGITS = 16


def period(sent_at: datetime) -> int:
    """The number of the 13 weeks that `sent_at` lies in.

    Periods begin on Mondays at midnight UTC, so that no hour, day or week straddles
    two of them: one person would count as two authors there.
    """
    return (sent_at - _FIRST_MONDAY) // _PERIOD


class Pseudonyms:
    """Names authors by a secret; the same author has another name each period.

    Args:
        secret: whoever knows it can find an author by trying all names.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = lru_cache(maxsize=64)(lambda number: _key(secret, number))

    def name(self, source: str, author: str, sent_at: datetime) -> str:
        """16 hex digits for `author`, the platform's own id of a person."""
        return self._name(source, author, period(sent_at))

    def names(
        self, source: str, author: str, since: datetime, until: datetime
    ) -> set[str]:
        """All that `author` has from the period of `since` to that of `until`."""
        periods = range(period(since), period(until) + 1)
        return {self._name(source, author, number) for number in periods}

    def _name(self, source: str, author: str, number: int) -> str:
        text = f"{source}\0{author}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key(number), text, "sha256").hex()[:_DIGITS]


def _key(secret: bytes, number: int) -> bytes:
    return hmac.digest(secret, str(number).encode(), "sha256")
