"""The start of a worker's application has the time that it needs."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from gunicorn.asgi import lifespan

from rave_http.process.lifespan import Lifespan


def start(application: Any) -> None:
    """Starts an application, and stops it again."""

    async def run() -> None:
        made = Lifespan(application, logging.getLogger("test"))
        await made.startup()
        made._task.cancel()

    asyncio.run(run())


async def slow(scope: Any, receive: Any, send: Any) -> None:
    """Takes longer than a wait that gives up at once."""
    await receive()
    for _ in range(100):
        await asyncio.sleep(0)
    await send({"type": "lifespan.startup.complete"})
    await receive()


async def failing(scope: Any, receive: Any, send: Any) -> None:
    """Can't start."""
    await send({"type": "lifespan.startup.failed", "message": "out of luck"})


def test_a_start_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """gunicorn's own would be, after half a minute; here that time is over at once."""

    async def give_up(work: Any, timeout: float) -> None:
        work.close()
        raise TimeoutError

    monkeypatch.setattr(asyncio, "wait_for", give_up)
    start(slow)


def test_an_application_that_can_not_start_says_why() -> None:
    """The worker logs it, and ends."""
    with pytest.raises(lifespan.LifespanStartupFailed, match="out of luck"):
        start(failing)
