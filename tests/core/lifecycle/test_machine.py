"""Everything that starts and stops goes through the same states, and nothing leads out of an error."""

from __future__ import annotations

import itertools
import threading

import pytest

from rave_core.errors import LifecycleError, RaveError
from rave_core.lifecycle import Lifecycle, State

STEPS = ("initialize", "activate", "deactivate", "terminate")


def test_the_four_steps_call_their_handlers_and_are_told() -> None:
    """Each once, before the state changes."""
    calls: list[str] = []
    life = Lifecycle("x", {step: lambda step=step: calls.append(step) for step in STEPS}, calls.append)
    assert life.state is State.INIT
    for step in STEPS:
        getattr(life, step)()
    assert calls == ["initialize", "ready", "activate", "active", "deactivate", "ready", "terminate", "terminated"]


RIGHT = {"init": "initialize", "ready": "activate terminate", "active": "deactivate", "terminated": "", "error": ""}


@pytest.mark.parametrize("steps", list(itertools.product(STEPS, repeat=4)), ids="-".join)
def test_any_other_order_leads_to_an_error(steps: tuple[str, ...]) -> None:
    """Of all orders of four steps; nothing leads out of it, and a wrong step calls no handler."""
    called: list[str] = []
    life = Lifecycle("x", {step: lambda step=step: called.append(step) for step in STEPS})
    for step in steps:
        before, calls = life.state, len(called)
        if step in RIGHT[before].split():
            life.enter(step)
            assert len(called) == calls + 1
        else:
            with pytest.raises(LifecycleError, match=f"x can't {step}: it is {before}; expected "):
                life.enter(step)
            assert (life.state, len(called)) == (State.ERROR, calls)


def test_a_handler_that_fails_leads_to_an_error_and_is_raised() -> None:
    """The very exception; and the step can't be tried again."""
    error = RuntimeError("no luck")

    def fail() -> None:
        raise error

    life = Lifecycle("x", {"activate": fail})
    life.initialize()
    with pytest.raises(RuntimeError) as caught:
        life.activate()
    assert caught.value is error
    assert life.state is State.ERROR
    with pytest.raises(RaveError, match="x can't activate: it is error; expected ready"):
        life.activate()


def test_threads_that_race_run_a_handler_once() -> None:
    """The others find the step out of turn."""
    barrier, calls, errors = threading.Barrier(8), [], []
    life = Lifecycle("x", {"initialize": lambda: calls.append(1)})

    def race() -> None:
        barrier.wait()
        try:
            life.initialize()
        except LifecycleError as error:
            errors.append(error)

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(calls), len(errors), life.state) == (1, 7, State.ERROR)
