"""A chat endpoint on this machine, as OpenAI's; it says what a test wants it to."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Self

from aiohttp import web

Question = dict[str, Any]
"""The body of a request."""

Reply = str | web.StreamResponse
"""What the model says, or a whole HTTP answer."""


class ChatEndpoint:
    """Answers each question with what `reply` gives for it.

    Args:
        reply: may be slow; a string is what the model says.
    """

    def __init__(self, reply: Callable[[Question], Awaitable[Reply]]) -> None:
        self._reply = reply
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.questions: list[Question] = []
        self.headers: list[dict[str, str]] = []
        self.most_at_once = 0
        self._at_once = 0
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        _, port = self._runner.addresses[0]
        self.url = f"http://127.0.0.1:{port}/v1"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        question = await request.json()
        self.questions.append(question)
        self.headers.append(dict(request.headers))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            reply = await self._reply(question)
        finally:
            self._at_once -= 1
        return reply if isinstance(reply, web.StreamResponse) else completion(reply)


def completion(content: str | None) -> web.Response:
    """The HTTP answer in which a model says `content`."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return web.json_response(
        {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice]}
    )


def saying(*replies: Reply | Callable[[Question], Reply]) -> ChatEndpoint:
    """An endpoint that gives these replies in turn, the last one for ever."""
    left = list(replies)

    async def reply(question: Question) -> Reply:
        given = left.pop(0) if len(left) > 1 else left[0]
        return given(question) if callable(given) else given

    return ChatEndpoint(reply)


def judging(
    cause: str = "",
    category: str = "none",
    certainty: str = "likely",
    feeling: str = "",
) -> str:
    """What a model says that keeps to the schema."""
    return json.dumps(
        {
            "cause": cause,
            "category": category,
            "certainty": certainty,
            "feeling": feeling,
        }
    )


def told(question: Question) -> dict[str, Any]:
    """The message that a question is on, and what is said of it."""
    data: dict[str, Any] = json.loads(question["messages"][1]["content"])
    return data
