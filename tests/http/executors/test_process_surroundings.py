"""What surrounds a body in another process is that of its worker: who hears of events, and the levels of loggers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pytest

from rave_core import current_runtime
from rave_core.events import Event
from rave_http.executors.processes import ProcessExecutor
from tests.http.executors.process_bodies import Ask


def test_what_a_body_publishes_and_stores_is_heard_in_its_worker(play: Callable[..., Any], bodies: Any) -> None:
    """An event of the body itself, and that of the entry that it stored; nothing while nobody listens."""
    heard: SimpleQueue[Event] = SimpleQueue()

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        await ask(bodies.half_of, 8)
        events = current_runtime().events
        with events.subscribe(["half.*", "entry.stored"], heard.put):
            await ask(bodies.half_of, 10)
            found = [heard.get(timeout=20) for _ in range(2)]
        assert [(each.topic, each.origin == events.origin) for each in found] == [
            ("half.asked", True),
            ("entry.stored", True),
        ]
        assert found[0].data == {"number": 10}
        assert found[1].data["operation"] == "process_bodies:half"

    play(scenario)


def test_a_child_that_runs_gets_levels_that_change(
    play: Callable[..., Any], bodies: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its next body; and a level that is taken back is none there, too."""
    voice = logging.getLogger("bodies.voice")
    monkeypatch.setattr(voice, "level", logging.NOTSET)

    async def scenario(executor: ProcessExecutor, ask: Ask) -> Any:
        said, pids = [], set()
        for level in (logging.NOTSET, logging.DEBUG, logging.NOTSET):
            voice.setLevel(level)
            said.append((await ask(bodies.says, logging.DEBUG)).value)
            pids.add((await ask(bodies.pid)).value)
        assert said == [False, True, False]
        assert len(pids) == 1

    play(scenario)
