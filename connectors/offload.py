"""Blocking work beside the event loop, without leaving it half done."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

T = TypeVar("T")


async def in_thread(
    call: Callable[..., T], *args: object, executor: Executor | None = None
) -> T:
    """The result of `call(*args)`, run in a thread.

    When cancelled it first waits for the thread, so that nobody closes what the
    thread still uses; so `call` must be short.
    """
    loop = asyncio.get_running_loop()
    future = loop.run_in_executor(executor, call, *args)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise
