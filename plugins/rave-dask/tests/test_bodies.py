"""What a Dask worker tells the client of a body, without a cluster."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from rave_dask.bodies import announced
from rave_dask.run import Run
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


def test_a_body_that_the_cluster_gave_up_says_how_often_its_worker_was_lost() -> None:
    """By the scheduler's count, if there is one: it also knows of starts that were too short to be announced."""
    remote: Any = SimpleNamespace(operation="lab/heavy")
    run = Run(remote, lambda *_: None, lambda _: None, starts=2, worker="tcp://one:1")
    assert str(run.lost()) == "lab/heavy was lost with its worker twice, the last time at tcp://one:1"
    assert str(run.lost(4, "tcp://two:1")) == "lab/heavy was lost with its worker 4 times, the last time at tcp://two:1"
