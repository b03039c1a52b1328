"""What an endpoint does not understand it is asked without, once."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web
from chat_endpoint import ChatEndpoint, Question, Reply, saying

from pipeline.tagging.chat_client import ChatClient, ChatError, Said, _retry_after_s

SCHEMA = {"type": "object", "properties": {}}


def asked(endpoint: ChatEndpoint, times: int = 1) -> list[str]:
    """What the endpoint says to the same question, so many times."""

    async def ask() -> list[str]:
        client = ChatClient(endpoint.url, "m", None, timeout_s=5.0)
        async with client.session() as session:
            return [
                await client.ask(session, [Said("user", "why?")], SCHEMA)
                for _ in range(times)
            ]

    return asyncio.run(ask())


def refusing(*fields: str, status: int = 400) -> ChatEndpoint:
    """An endpoint that takes no question with such a field, or such a value of it."""

    def reply(question: Question) -> Reply:
        text = str(question)
        for field in fields:
            if field in text:
                complaint = {"error": {"message": f"Unsupported: {field!r}"}}
                return web.json_response(complaint, status=status)
        return "because"

    return saying(reply)


def sent(question: Question) -> dict[str, Any]:
    form = question.get("response_format", {}).get("type")
    return {"format": form, "keys": question.keys() - {"model", "messages"}}


@pytest.mark.parametrize("status", [400, 422])
def test_without_schemas_json_is_asked_for_and_without_json_text(status: int) -> None:
    with refusing("json_schema", status=status) as end:
        assert asked(end, times=2) == ["because"] * 2
        forms = [sent(question)["format"] for question in end.questions]
        assert forms == ["json_schema", "json_object", "json_object"]
    with refusing("response_format", status=status) as end:
        assert asked(end, times=2) == ["because"] * 2
        forms = [sent(question)["format"] for question in end.questions]
        assert forms == ["json_schema", "json_object", None, None]


def test_the_newer_name_of_the_limit_is_used_where_it_is_asked_for() -> None:
    def reply(question: Question) -> Reply:
        if "max_tokens" in question:
            return web.Response(status=400, text="use 'max_completion_tokens' instead")
        if "temperature" in question:
            return web.Response(status=400, text="'temperature' must be the default")
        return "because"

    with saying(reply) as end:
        assert asked(end) == ["because"]
        assert "max_completion_tokens" in end.questions[-1]
        assert len(end.questions) == 3


def test_a_question_that_is_refused_for_itself_changes_nothing() -> None:
    """Else a message could take the schema away from all that come after it."""

    def reply(_: Question) -> Reply:
        return web.Response(status=400, text="the prompt was filtered: json_schema")

    with saying(reply) as end:
        client = ChatClient(end.url, "m", None, timeout_s=5.0)

        async def ask() -> None:
            async with client.session() as session:
                with pytest.raises(ChatError, match="question-refused"):
                    await client.ask(session, [Said("user", "why?")], SCHEMA)

        asyncio.run(ask())
        asyncio.run(ask())
    forms = [sent(question)["format"] for question in end.questions]
    assert forms == ["json_schema", "json_object", None] * 2


def test_no_proxy_of_the_environment_sees_a_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with saying("because") as end:
        assert asked(end) == ["because"]


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("", 0.0), ("12", 12.0), (" 3 ", 3.0), ("9" * 400, 1e9), ("soon", 0.0)],
)
def test_a_server_says_for_how_long_it_wants_to_be_left_alone(
    given: str, seconds: float
) -> None:
    assert _retry_after_s({"Retry-After": given}) == seconds


def test_it_may_also_name_the_time() -> None:
    now = datetime.now(UTC)
    for ahead, least, most in ((60, 55, 60), (-60, 0, 0)):
        date = format_datetime(now + timedelta(seconds=ahead), usegmt=True)
        assert least <= _retry_after_s({"Retry-After": date}) <= most
    local = (now + timedelta(seconds=60)).strftime("%a, %d %b %Y %H:%M:%S")
    assert 50 <= _retry_after_s({"Retry-After": local}) <= 60
