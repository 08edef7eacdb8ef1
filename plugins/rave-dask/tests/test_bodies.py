"""What a Dask worker tells the client of a body, without a cluster."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from rave_dask.bodies import announced
from tornado.ioloop import IOLoop


def test_only_a_body_that_lasts_announces_its_start() -> None:
    """The answer of a short one would wait for the message; its client counts the start when it has the answer."""
    told: list[Any] = []

    async def scenario() -> None:
        heard = asyncio.Event()

        def tell(topic: str, message: dict[str, Any]) -> None:
            told.append((topic, message))
            heard.set()

        worker: Any = SimpleNamespace(address="tcp://here:1", loop=IOLoop.current(), log_event=tell)
        with announced(worker, "topic", 1):
            pass
        with announced(worker, "topic", 2):
            await heard.wait()

    asyncio.run(asyncio.wait_for(scenario(), 30))
    assert told == [("topic", {"number": 2, "started": "tcp://here:1"})]
