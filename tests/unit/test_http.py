from datetime import UTC, datetime

import pytest
from multidict import CIMultiDict

from connectors.http import retry_after_s

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
RESET = str(int(NOW.timestamp()) + 90)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "120"}, 120.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"Retry-After": "9" * 500}, 1e9),
        ({"Retry-After": "Sat, 01 Jun 2024 12:01:00 GMT"}, 60.0),
        ({"Retry-After": "Sat, 01 Jun 2024 12:01:00"}, 60.0),
        ({"Retry-After": "Sat, 01 Jun 2024 11:00:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Sat, 01 Jun 99999999999 12:01:00 GMT"}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": RESET}, 90.0),
        ({"X-RateLimit-Remaining": "5", "X-RateLimit-Reset": RESET}, None),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "30"}, 30.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1500000000"}, 0.0),
    ],
)
def test_what_a_server_asks_for_is_understood(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after_s(CIMultiDict(headers), NOW) == seconds
