"""Forks: a child opens handles of its own, and parent and child share what they compute (R1)."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime, Settings, op, op_file, using
from rave_core.runtime.runtime import current_runtime
from tests.core.forks import in_child

Ran = Callable[[], list[str]]
LOG: list[Path] = []


def _log(text: str) -> None:
    with open(LOG[-1], "a") as file:
        file.write(text + "\n")


@op
def logged(x):
    """Writes a line each time that it runs, since a child's output is not captured."""
    _log(f"logged {x}")
    return [x]


@op_file(mime_type="text/plain")
def filed(out, x):
    """A file."""
    _log(f"filed {x}")
    Path(out).write_text(str(x))


@op
def forking(x):
    """Forks in the middle of its run."""
    _log("forking")
    return in_child(lambda: logged(x) == [x] and logged(x + 1) == [x + 1]) and logged(x) == [x]


@pytest.fixture(autouse=True)
def ran(tmp_path: Path) -> Any:
    """Gives the lines logged since it was last asked, by all processes."""
    LOG.append(tmp_path / "log")

    def read() -> list[str]:
        lines = LOG[-1].read_text().splitlines() if LOG[-1].exists() else []
        LOG[-1].write_text("")
        return lines

    yield read
    LOG.pop()


def test_a_child_finds_what_its_parent_computed_and_the_other_way_round(runtime: Runtime, ran: Ran) -> None:
    """Over one cache, with memory in front of it."""
    logged(1)
    assert in_child(lambda: logged(1) == [1] and logged(2) == [2] and Path(filed(1)).read_text() == "1")
    assert logged(2) == [2]
    assert Path(filed(1)).read_text() == "1"
    assert ran() == ["logged 1", "logged 2", "filed 1"]


def test_a_child_does_not_share_handles(runtime: Runtime) -> None:
    """Its backends are new objects; closing them leaves the parent's alone."""
    backends = (id(runtime.cache.backend), id(runtime.products.backend))

    def are_new() -> bool:
        kept = (runtime.container, runtime.cache.backend)
        fresh = backends[0] != id(kept[1]) and current_runtime() is runtime
        logged(1)
        runtime.close()
        return fresh

    container = runtime.container
    assert in_child(are_new)
    assert runtime.container is container
    assert logged(1) == [1]


def test_a_fork_in_the_middle_of_a_run(runtime: Runtime, ran: Ran) -> None:
    """The child calls operations of its own, and the parent's run, lease and result are as they were."""
    assert forking(1) is True
    assert forking.resolve(1).status == "hit"
    assert ran() == ["forking", "logged 1", "logged 2"]


def test_a_fork_while_other_threads_hold_our_locks(runtime: Runtime, ran: Ran) -> None:
    """The child never waits for a thread that it does not have."""
    stop = threading.Event()

    def busy(number: int) -> None:
        at = 0
        while not stop.is_set():
            logged((number, at))
            at += 1

    threads = [threading.Thread(target=busy, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        assert all(in_child(lambda at=at: logged(("child", at)) == [("child", at)]) for at in range(5))
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_child_that_dies_in_a_run_loses_its_lease(runtime: Runtime, ran: Ran) -> None:
    """Its parent does not wait for the lease to run out."""

    def die() -> bool:
        dying(1)
        return True

    DYING.append(True)
    assert not in_child(die)
    DYING.clear()
    assert dying(1) == 1
    assert ran() == ["dying", "dying"]


DYING: list[bool] = []


@op
def dying(x):
    """Kills its process when told to."""
    _log("dying")
    if DYING:
        os._exit(7)
    return x


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_pool_of_forked_processes(runtime: Runtime, ran: Ran) -> None:
    """Each task is answered over the parent's cache, in the runtime that was in use."""
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(logged, [1, 2, 1, 2, 1]) == [[1], [2], [1], [2], [1]]
    assert logged(1) == [1]
    assert sorted(ran()) == ["logged 1", "logged 2"]


def test_a_spawned_process_uses_the_settings_of_its_environment(tmp_path: Path, run_python: Callable[..., str]) -> None:
    """It starts afresh; operations and outcomes travel by pickle."""
    script = tmp_path / "spawning.py"
    script.write_text(
        "import multiprocessing\nfrom rave_core import op\n"
        "@op\ndef f(x):\n    print('ran', x, flush=True)\n    return x\n"
        "if __name__ == '__main__':\n"
        "    f(1)\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.map(f, [1, 2]), pool.apply(f.resolve, (2,)).status.value, f(2), flush=True)\n"
    )
    assert run_python("spawning.py").splitlines() == ["ran 1", "ran 2", "[1, 2] hit 2"]


def test_a_runtime_can_be_made_from_pickled_settings(tmp_path: Path) -> None:
    """So that a pool's initializer can use the very same caches."""
    settings = Settings(cache=[f"file://{tmp_path}/data"], products=[f"file://{tmp_path}/products"])
    with using(Runtime(settings)):
        logged(1)
    with using(Runtime(pickle.loads(pickle.dumps(settings)))):
        assert logged.resolve(1).status == "hit"
