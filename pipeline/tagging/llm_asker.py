"""Questions to a chat endpoint: answered, remembered, or given up, in a budget."""

import asyncio
import hashlib
import random
import sqlite3
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import msgspec

from pipeline.tagging.chat_client import ChatClient, ChatError, RefusedError, Said
from pipeline.tagging.llm_answer import (
    READING,
    BadAnswerError,
    Judgement,
    NotVerbatimError,
    read_answer,
)
from pipeline.tagging.llm_health import Health
from pipeline.tagging.llm_prompt import CORRECTION, Question, schema, turns
from pipeline.tagging.llm_store import LlmStore

ATTEMPTS = 3
"""At a question whose failure may pass."""

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
"""Where an endpoint asks for more, the question is given up, and it is left alone."""

MAX_REPEATED = 2_000
"""Characters of a wrong answer that it is asked to mend."""


class _UnansweredError(Exception):
    """A question that stays without an answer, for a reason in a few fixed words."""


class Pauses:
    """What lies between the attempts at a question: longer ones, each time.

    Args:
        sleep: spends seconds.
        jitter: spreads the attempts of many askers.
    """

    def __init__(
        self,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: random.Random | None = None,
    ) -> None:
        self._sleep = sleep
        self._jitter = jitter or random.Random()  # noqa: S311 - it guards nothing

    async def pause(self, attempt: int, at_least_s: float) -> None:
        """Wait after the `attempt`-th failure, counted from 0."""
        longest_s = FIRST_PAUSE_S * 2**attempt
        await self._sleep(
            max(at_least_s, self._jitter.uniform(longest_s / 2, longest_s))
        )


class Asker:
    """Asks an endpoint; threads may share it.

    Args:
        client: reaches the endpoint.
        store: keeps the answers and the budget.
        concurrency: questions under way at once, of one call.
        health: of the endpoint.
        pauses: between attempts.
    """

    def __init__(
        self,
        client: ChatClient,
        store: LlmStore,
        concurrency: int,
        health: Health,
        pauses: Pauses,
    ) -> None:
        self._client, self._store, self._health = client, store, health
        self._concurrency, self._pauses = concurrency, pauses
        self._learning, self._understood = threading.Lock(), False

    def ask(self, questions: Sequence[Question]) -> list[Judgement | None]:
        """The judgement on each question; None where there is none, and it is logged.

        It has an event loop of its own, in a thread of its own, as its caller may be
        inside one.
        """
        keys = [self._key(question) for question in questions]
        try:
            known = self._store.answers(keys)
        except sqlite3.Error:
            for _ in questions:
                self._health.unanswered("file-failed")
            return [None] * len(questions)
        asked = {k: q for k, q in zip(keys, questions, strict=True) if k not in known}
        if asked:
            with ThreadPoolExecutor(1) as pool:
                known |= pool.submit(asyncio.run, self._ask_all(asked)).result()
        return [known[key] for key in keys]

    def _key(self, question: Question) -> bytes:
        asked = [self._client.identity, turns(question), schema(), READING]
        return hashlib.sha256(msgspec.json.encode(asked)).digest()

    async def _ask_all(
        self, questions: dict[bytes, Question]
    ) -> dict[bytes, Judgement | None]:
        """The judgements; one question at a time until the first is understood.

        So an endpoint refuses what it does not know in one question, not in each that
        is under way.
        """
        limit = asyncio.Semaphore(self._concurrency)
        found: list[Judgement | None] = []
        async with self._client.session() as session:

            async def ask(key: bytes, question: Question) -> Judgement | None:
                async with limit:
                    return await self._ask_one(session, key, question)

            left = deque(questions.items())
            with self._learning:  # other threads wait: each has a loop of its own
                while left and not self._understood:
                    found.append(await ask(*left.popleft()))
            found += await asyncio.gather(*(ask(*item) for item in left))
        return dict(zip(questions, found, strict=True))

    async def _ask_one(
        self, session: aiohttp.ClientSession, key: bytes, question: Question
    ) -> Judgement | None:
        try:
            judgement = await self._judged(session, question)
            self._store.keep(key, judgement)
        except _UnansweredError as error:
            self._health.unanswered(str(error))
            return None
        except sqlite3.Error:
            self._health.unanswered("file-failed")
            return None
        except Exception as error:  # noqa: BLE001 - the base's marks stay, whatever broke
            self._health.unanswered(type(error).__name__)
            return None
        return judgement

    async def _judged(
        self, session: aiohttp.ClientSession, question: Question
    ) -> Judgement | None:
        """The judgement; None, to be remembered, where the endpoint is not up to it."""
        said = turns(question)
        content = await self._said(session, said)
        try:
            return read_answer(content, question)
        except (BadAnswerError, NotVerbatimError):
            wrong = Said("assistant", content[:MAX_REPEATED])
            said += [wrong, Said("user", CORRECTION)]
        try:
            return read_answer(await self._said(session, said), question)
        except BadAnswerError:
            self._health.unanswered("bad-answer")
        except NotVerbatimError:
            self._health.unanswered("not-verbatim")
        return None

    async def _said(self, session: aiohttp.ClientSession, said: Sequence[Said]) -> str:
        """What the endpoint says, be it at the third attempt."""
        attempt = 0
        while True:
            if self._health.rests:
                raise _UnansweredError("left-alone")
            if not self._store.spend():
                raise _UnansweredError("budget-spent")
            try:
                content = await self._client.ask(session, said, schema())
            except ChatError as error:
                await self._bear(error, attempt)
                attempt += 1
            else:
                self._health.answered()
                self._understood = True
                return content

    async def _bear(self, error: ChatError, attempt: int) -> None:
        """Wait, if the same question may be answered then; otherwise give it up."""
        too_long = error.retry_after_s > LONGEST_PAUSE_S
        if error.is_passing and attempt + 1 < ATTEMPTS and not too_long:
            await self._pauses.pause(attempt, error.retry_after_s)
            return
        if not isinstance(error, RefusedError):
            self._health.failed(error.retry_after_s)
        raise _UnansweredError(error.reason) from error
