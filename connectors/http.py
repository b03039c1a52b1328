"""What an HTTP answer says about asking again."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_EPOCH_LEAST = 1e9
"""Smaller numbers in a reset header are seconds from now, larger ones since 1970."""


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that the server asks to be left alone, if it does.

    Reads Retry-After (seconds or a date, RFC 9110), and X-RateLimit-Reset or
    RateLimit-Reset where no request remains. `headers` ignore case.
    """
    given = headers.get("Retry-After", "").strip()
    if given:
        return _seconds(given) if given.isdecimal() else _until(given, now)
    for prefix in ("X-RateLimit-", "RateLimit-"):
        reset = headers.get(f"{prefix}Reset", "").strip()
        if headers.get(f"{prefix}Remaining", "").strip() == "0" and _is_number(reset):
            seconds = float(reset)
            if seconds >= _EPOCH_LEAST:
                seconds -= now.timestamp()
            return max(0.0, seconds)
    return None


def _seconds(text: str) -> float:
    return min(float(text), 1e9)


def _until(date: str, now: datetime) -> float | None:
    try:
        time = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    return max(0.0, (time - now).total_seconds())


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()
