"""An operation that is held up until a test lets it go on, and event loops in threads of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from rave_core import op


class Gate:
    """Lets a body tell that it runs, and holds it until it may go on, in whatever thread it is."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()

    async def passed(self) -> None:
        """Waits in a task."""
        self.entered.set()
        while not self.open.is_set():
            await asyncio.sleep(0.002)


GATES: list[Gate] = []


@op
async def gated(x):
    """Held up by the gate."""
    print("gated", x)
    await GATES[-1].passed()
    return [x]


def in_thread(main: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Runs a coroutine function in an event loop of its own thread; its result, or exception, goes into the list."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(asyncio.run(main()))
        except BaseException as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results
