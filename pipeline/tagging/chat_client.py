"""One question to a chat endpoint that speaks as OpenAI's does.

aiohttp does the talking, not OpenAI's own client: that one follows redirects and takes
proxies from the environment, so that texts could reach a host nobody agreed to; its
timeout is one of each read, so that an answer may trickle in for ever.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NamedTuple, Self

import aiohttp
import msgspec

MAX_BYTES = 2**18
"""Of an answer; a longer one is none to our question."""

MAX_TOKENS = 1_024
"""Of an answer; those count that a model thinks aloud."""

_BAD_REQUEST = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
_NO_ENTRY = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_FIRST_SERVER_ERROR = 500
_ABOUT_FORMAT = ("response_format", "json_", "schema", "grammar")
_REDIRECTS = range(300, 400)


class ChatError(Exception):
    """An endpoint gave no answer.

    Args:
        reason: one of a few fixed words, for logs.
        is_passing: whether the same question may soon be answered.
        retry_after_s: seconds for which the endpoint asked to be left alone.
    """

    def __init__(
        self, reason: str, *, is_passing: bool = False, retry_after_s: float = 0.0
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_passing = is_passing
        self.retry_after_s = retry_after_s


class RefusedError(ChatError):
    """An endpoint that is well gave no answer to this one question."""


class Said(msgspec.Struct, frozen=True):
    """One turn of a conversation."""

    role: str
    content: str | None = None


class _Choice(msgspec.Struct):
    message: Said


class _Completion(msgspec.Struct):
    choices: list[_Choice]


class _Dialect(NamedTuple):
    """What an endpoint understands of what a question may carry."""

    format: str = "json_schema"
    limit: str = "max_tokens"
    temperature: bool = True

    def body(
        self, model: str, turns: Sequence[Said], schema: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The question, said so that the endpoint understands."""
        body: dict[str, Any] = {"model": model, "messages": turns}
        body[self.limit] = MAX_TOKENS
        if self.temperature:
            body["temperature"] = 0
        if self.format == "json_schema":
            named = {"name": "answer", "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        elif self.format == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body

    def without(self, complaint: str) -> Self | None:
        """A simpler one, where a question was not understood; None if there is none."""
        if self.limit == "max_tokens" and "max_completion_tokens" in complaint:
            return self._replace(limit="max_completion_tokens")
        if self.temperature and "temperature" in complaint:
            return self._replace(temperature=False)
        if not any(word in complaint for word in _ABOUT_FORMAT):
            return None
        simpler = {"json_schema": "json_object", "json_object": "text"}.get(self.format)
        return None if simpler is None else self._replace(format=simpler)


class ChatClient:
    """Asks an endpoint; threads and event loops may share it.

    Args:
        url: up to and without `/chat/completions`.
        model: the name that the endpoint knows it by.
        key: what the endpoint knows its user by, if it asks for one.
        timeout_s: how long a question may take, from first to last.
    """

    def __init__(self, url: str, model: str, key: str | None, timeout_s: float) -> None:
        self._url = url.rstrip("/") + "/chat/completions"
        self._model = model
        self._headers = {"Content-Type": "application/json"}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._dialect = _Dialect()

    @property
    def identity(self) -> tuple[str, str]:
        """Who is asked."""
        return (self._url, self._model)

    def session(self) -> aiohttp.ClientSession:
        """Connections to the endpoint, for one event loop."""
        return aiohttp.ClientSession(
            headers=self._headers, timeout=self._timeout, trust_env=False
        )

    async def ask(
        self,
        session: aiohttp.ClientSession,
        turns: Sequence[Said],
        schema: Mapping[str, Any],
    ) -> str:
        """What the endpoint says, which may or may not be as `schema` asks.

        Where it does not understand a schema it is asked again without, and from then
        on; so it may be asked up to five times, once.

        Raises:
            ChatError: it gave no answer.
        """
        dialect = self._dialect
        while True:
            status, headers, answer = await self._post(
                session, dialect.body(self._model, turns, schema)
            )
            if status == HTTPStatus.OK:
                self._dialect = dialect
                return _content(answer)
            simpler = dialect.without(answer.decode("utf-8", "replace"))
            if status not in _BAD_REQUEST or simpler is None:
                raise _failure(status, headers)
            dialect = simpler

    async def _post(
        self, session: aiohttp.ClientSession, body: dict[str, Any]
    ) -> tuple[int, Mapping[str, str], bytes]:
        try:
            async with session.post(
                self._url, data=msgspec.json.encode(body), allow_redirects=False
            ) as response:
                return response.status, response.headers, await _read(response)
        except TimeoutError as error:
            raise ChatError("timeout") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ChatError("unreachable", is_passing=True) from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    read = bytearray()
    async for chunk in response.content.iter_chunked(2**14):
        read += chunk
        if len(read) > MAX_BYTES:
            raise RefusedError("answer-too-long")
    return bytes(read)


def _content(answer: bytes) -> str:
    try:
        completion = msgspec.json.decode(answer, type=_Completion)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RefusedError("no-completion") from error
    content = completion.choices[0].message.content if completion.choices else None
    if not content:
        raise RefusedError("no-completion")
    return content


def _failure(status: int, headers: Mapping[str, str]) -> ChatError:
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= _FIRST_SERVER_ERROR:
        busy = status == HTTPStatus.TOO_MANY_REQUESTS
        return ChatError(
            "too-many-requests" if busy else "server-error",
            is_passing=True,
            retry_after_s=_retry_after_s(headers),
        )
    if status in _NO_ENTRY:
        return ChatError("key-refused")
    if status in _REDIRECTS:
        return ChatError("redirected")
    if status == HTTPStatus.NOT_FOUND:
        return ChatError("not-there")
    return RefusedError("question-refused")


def _retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds, or a date (RFC 9110); 0 where nothing is asked for."""
    given = headers.get("Retry-After", "").strip()
    if given.isdecimal():
        return min(float(given), 1e9)
    try:
        until = parsedate_to_datetime(given)
    except (ValueError, OverflowError):
        return 0.0
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
