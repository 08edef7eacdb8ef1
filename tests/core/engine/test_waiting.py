"""Nobody waits for ever: cycles of keys, signal handlers, forks, and stacks that are too short."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import pytest

from rave_core import RaveWarning, Runtime, Settings, op, using
from rave_core.engine.single_flight import FlightResult, Flights

ENTERED: dict[str, threading.Event] = {}
RUNS: list[str] = []
AROUND: ContextVar[tuple[str, ...]] = ContextVar("around", default=())


@op(name="waiting/ring")
def ring(name: str, names: str) -> str:
    """Asks for the next of a ring, once all of them are under way, unless that asked for this one."""
    ENTERED[name].set()
    for each in names:
        assert ENTERED[each].wait(10)
    return name + asked(names[(names.index(name) + 1) % len(names)], lambda following: ring(following, names))


@op(name="waiting/depth")
def down(n: int) -> int:
    """As deep as ``n``."""
    return 0 if n == 0 else 1 + down(n - 1)


@op(name="waiting/ring of tasks")
async def task_ring(name: str, other: str) -> str:
    """As ``ring``, of two."""
    RUNS.append(name)
    while other not in RUNS:
        await asyncio.sleep(0.001)
    if other in AROUND.get():
        return name
    AROUND.set((*AROUND.get(), name))
    return name + await task_ring(other, name)


def asked(name: str, ask: Callable[[str], str]) -> str:
    """What ``ask`` gives for a name, unless it is being asked for here already."""
    around = AROUND.get()
    if name in around:
        return ""
    token = AROUND.set((*around, name))
    try:
        return ask(name)
    finally:
        AROUND.reset(token)


@pytest.mark.parametrize("names", ["ab", "abc"])
def test_threads_that_ask_for_each_others_key_all_come_back(runtime: Runtime, names: str) -> None:
    """Each computes what it would wait for in a circle, within a second."""
    ENTERED.clear()
    ENTERED.update({name: threading.Event() for name in names})
    started = time.monotonic()
    with ThreadPoolExecutor(len(names)) as pool:
        found = list(pool.map(lambda name: asked(name, lambda each: ring(each, names)), names))
    assert [each[0] for each in found] == list(names)
    assert time.monotonic() - started < 5


def test_tasks_that_ask_for_each_others_key_both_come_back(runtime: Runtime) -> None:
    """In one event loop."""
    RUNS.clear()

    async def main() -> list[str]:
        return await asyncio.wait_for(asyncio.gather(task_ring("a", "b"), task_ring("b", "a")), 10)

    assert [each[0] for each in asyncio.run(main())] == ["a", "b"]


def test_who_waits_for_others_is_not_taken_for_a_circle() -> None:
    """Two flights may need one and the same third."""
    flights = Flights()
    (first, _), (second, _) = flights.join("a"), flights.join("b")
    third, leads = flights.join("c", first)
    assert leads
    assert flights.wait_for(third, second)
    assert not flights.wait_for(first, third)
    assert not flights.wait_for(second, second)
    flights.land("c", third, FlightResult())
    assert flights.wait_for(first, second)


def test_landed_flights_are_forgotten_by_those_that_needed_them() -> None:
    """A body may ask for any number of keys."""
    flights = Flights()
    parent, _ = flights.join("parent")
    for number in range(1000):
        flight, _ = flights.join(str(number), parent)
        flights.land(str(number), flight, FlightResult())
    assert len(parent.needs) <= 64


def test_a_cold_recursion_is_as_deep_as_it_likes(runtime: Runtime) -> None:
    """Python's limit is by thread: it goes on in another."""
    before = threading.active_count()
    assert down(1500) == 1500
    assert down.resolve(1500).status == "hit"
    assert threading.active_count() <= before + 2


def test_a_recursion_without_an_end_is_an_error() -> None:
    """It does not take one thread after the other for ever."""

    @op(name="waiting/endless")
    def endless(n: int) -> int:
        return endless(n + 1)

    with using(Runtime(Settings(cache=["memory://"]))), pytest.raises(RecursionError):
        endless(0)


def test_an_error_deep_down_comes_up_unchanged(runtime: Runtime) -> None:
    """Through all the threads."""

    @op(name="waiting/failing")
    def failing(n: int) -> int:
        if n == 0:
            raise KeyError("bottom")
        return failing(n - 1)

    with pytest.raises(KeyError, match="bottom"):
        failing(400)


def test_a_result_that_neither_store_nor_memory_has_room_for_is_an_answer(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was computed."""

    def short(*_: object) -> Any:
        raise MemoryError

    monkeypatch.setattr(runtime.cache, "put", short)
    monkeypatch.setattr(runtime.cache, "fetcher", short)
    with pytest.warns(RaveWarning, match="could not keep an entry"):
        assert down(0) == 0


SIGNALLED = """
import signal, sys, time
from rave_core import op
@op(name="slow")
def slow(x, t):
    time.sleep(t)
    return x
signal.signal(signal.SIGALRM, lambda *_: print("handler", slow(2, 0.01), flush=True))
signal.setitimer(signal.ITIMER_REAL, float(sys.argv[1]))
print("main", slow(1, 0.5))
"""


@pytest.mark.parametrize("seconds", ["0.01", "0.05", "0.15", "0.4"])
def test_a_signal_handler_may_call_an_operation_at_any_moment(run_python: Callable[..., str], seconds: str) -> None:
    """Also in the middle of the very first call."""
    assert run_python("-c", SIGNALLED, seconds).split() == ["handler", "2", "main", "1"]


FORKED = """
import os, sys, threading, time
from rave_core import op
@op(name="one")
def one(x): return x
threading.Thread(target=one, args=(1,)).start()
time.sleep(float(sys.argv[1]))
child = os.fork()
if not child:
    print(one(2), flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.parametrize("seconds", ["0", "0.02", "0.1"])
def test_a_child_forked_in_another_threads_first_call_answers(run_python: Callable[..., str], seconds: str) -> None:
    """It inherits no lock that nobody lets go of."""
    assert run_python("-W", "ignore", "-c", FORKED, seconds) == "2"


def test_without_free_descriptors_a_call_is_answered(run_python: Callable[..., str]) -> None:
    """Nothing that an answer needs is opened or imported so late."""
    program = """
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from rave_core import op
@op(name="a")
def a(x): return [x]
a(0)
held = []
try:
    while True: held.append(os.open("/dev/null", os.O_RDONLY))
except OSError: pass
found = a(1), a(1), a(0)
for file in held: os.close(file)
a(1)
print(*found, a.resolve(1).status.value)
"""
    assert run_python("-W", "ignore", "-c", program) == "[1] [1] [0] hit"


def test_ctrl_c_ends_a_deep_recursion() -> None:
    """In whichever thread it is."""
    program = """
import sys, time
from rave_core import op
@op(name="deep")
def deep(n):
    if n == 0:
        print("bottom", flush=True)
        for _ in range(10_000): time.sleep(0.001)
    return n if n == 0 else deep(n - 1)
try:
    deep(300)
except KeyboardInterrupt:
    print("interrupted")
"""
    environment = {**os.environ, "RAVE_CACHE": "memory://"}
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", program], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "bottom\n"
        process.send_signal(2)
        out, _ = process.communicate(timeout=20)
    assert out == "interrupted\n"
