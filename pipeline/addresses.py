"""Whether a URL can be reached at all, as far as it tells by itself."""

from urllib.parse import urlsplit


def host_of(url: str) -> str | None:
    """The host that a URL names; None where it names none, or a port there is not."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:  # a bracket that is not closed, a port beyond 65535
        return None
    return None if port == 0 else host
