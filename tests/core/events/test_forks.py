"""A forked child has its own events."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from rave_core import Runtime
from rave_core.events import Event

SCRIPT = """
import os, threading, warnings
warnings.simplefilter("ignore")
from rave_core import Runtime
runtime = Runtime()
got = []
runtime.events.subscribe("a", got.append)
stop = threading.Event()
def storm():
    while not stop.is_set():
        runtime.events.publish("a", {"n": 1})
threads = [threading.Thread(target=storm) for _ in range(2)]
for each in threads: each.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        assert not runtime.events.is_heard("a")
        mine, came = [], threading.Event()
        runtime.events.subscribe("a", lambda event: (mine.append(event), came.set()))
        runtime.events.publish("a", {"n": 2})
        assert came.wait(10)
        assert mine[0].data["n"] == 2 and str(os.getpid()) in mine[0].origin
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
stop.set()
for each in threads: each.join()
print("good")
"""


def test_a_child_starts_without_the_subscriptions_of_its_parent(run_python: Callable[..., str]) -> None:
    """Its own work, even if the fork happens while threads of the parent publish and hold locks."""
    assert run_python("-c", SCRIPT) == "good"


def test_closing_in_a_parent_leaves_nothing_behind(make_runtime: Callable[..., Runtime], tmp_path: Path) -> None:
    """The threads of its subscriptions end with the runtime."""
    runtime = make_runtime()

    def nobody_else(event: Event) -> None: ...

    runtime.events.subscribe("a", nobody_else)
    threads = [each for each in threading.enumerate() if "nobody_else" in each.name]
    assert len(threads) == 1
    runtime.close()
    threads[0].join(10)
    assert not threads[0].is_alive()
