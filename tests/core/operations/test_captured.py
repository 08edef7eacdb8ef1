"""What an operation captured, and what those who wait for it share."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from rave_core import Runtime, carry, op, using
from rave_core.model import Status


def _scaled(scale: int) -> Any:
    def run(x: int) -> int:
        return x * scale

    run.__name__ = "scale"
    return op(name="hazards/scaled")(run)


def test_a_captured_variable_counts_whatever_it_is_called(runtime: Runtime) -> None:
    """Only what holds the function itself is left out, and a name does not tell that."""
    assert (_scaled(2)(3), _scaled(5)(3)) == (6, 15)


def test_a_local_operation_that_calls_itself_has_a_key(runtime: Runtime) -> None:
    """It captured itself, which is no part of its own key."""

    @op(name="hazards/fib")
    def fib(n: int) -> int:
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    assert fib(20) == 6765
    assert fib.resolve(20).status is Status.HIT


def test_those_who_share_an_exception_do_not_pile_up_frames_on_it(runtime: Runtime) -> None:
    """It is one object, and each who raises it again starts from where the body left it."""
    together, seen = threading.Barrier(64), list[int]()

    @op(name="hazards/fails")
    def fails(x: int) -> None:
        time.sleep(0.2)  # while the others join
        raise KeyError(x)

    def ask() -> None:
        together.wait(30)
        try:
            fails(1)
        except KeyError as error:
            seen.append(len([*traceback.walk_tb(error.__traceback__)]))

    threads = [threading.Thread(target=carry(ask)) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(seen) == 64
    assert max(seen) < 40


def test_a_captured_list_that_the_body_fills_is_no_part_of_the_version(make_runtime: Callable[..., Runtime]) -> None:
    """It is in the key, as far as it counts; else the version would depend on when it was determined."""

    class Notes(list[int]):
        def __rave_key__(self) -> str:
            return "notes"

    notes = Notes()

    @op(name="t/noted")
    def noted(n: int) -> int:
        notes.append(n)
        return n

    found = set()
    for number in range(3):
        with using(make_runtime()):
            assert noted(1) == 1
            found.add(noted.resolved().version.text)
        notes.append(number)
    assert len(found) == 1
    assert notes.count(1) == 2  # once run, once appended above
