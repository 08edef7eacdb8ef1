"""Operations: kept by arguments, for all processes over one cache, and still functions (R1, R2, R6 to R8)."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rave_core import Runtime, op, using
from rave_core.errors import ArgumentError

pytestmark = pytest.mark.usefixtures("runtime")
Ran = Callable[[], list[str]]


@op
def add(a, b=2):
    """A sum."""
    print("add", a, b)
    return a + b


@op
def everything(first, /, second, *rest, third, fourth=4, **others):
    """Every kind of parameter."""
    print("everything")
    return (first, second, rest, third, fourth, tuple(sorted(others.items())))


@op
def fib(n):
    """Calls itself."""
    print("fib", n)
    return n if n < 2 else fib(n - 2) + fib(n - 1)


@op
def nothing(x):
    """Gives ``None``."""
    print("nothing")


@op
def failing(kind):
    """Raises what it is told to."""
    print("failing")
    raise FAILURES[kind]


class OwnError(Exception):
    """An exception of an operation's author."""


FAILURES: dict[str, BaseException] = {
    "own": OwnError("mine"),
    "type": TypeError("looks like a wrong argument"),
    "stop": StopIteration(7),
    "os": OSError(28, "No space left on device"),
    "exit": SystemExit(3),
}


@op
def make(kind):
    """A value that can be changed."""
    print("make")
    return {"list": [1, [2]], "dict": {"a": [1]}, "array": np.arange(4), "bytes": bytearray(b"abc")}[kind]


@op
def greedy(items):
    """Changes its own argument."""
    print("greedy")
    items.append(4)
    return sum(items)


GATES: dict[str, threading.Event] = {}


@op
def held_up(x):
    """Fails once it may."""
    print("held_up")
    GATES["entered"].set()
    GATES["open"].wait(10)
    raise OwnError(x)


@pytest.fixture
def gates() -> dict[str, threading.Event]:
    """Tells when `held_up` runs, and lets it go on."""
    GATES.update(entered=threading.Event(), open=threading.Event())
    return GATES


def test_equal_arguments_run_the_body_once(ran: Ran) -> None:
    """However they are passed: by position, by keyword, or left to the default."""
    assert add(1, 2) == add(1) == add(a=1) == add(b=2, a=1) == add(1, b=2) == 3
    assert ran() == ["add 1 2"]
    assert add(1, 3) == 4
    assert ran() == ["add 1 3"]


def test_10_and_its_look_alikes_are_four_arguments(ran: Ran) -> None:
    """Without a typemap a number, its float, its text and a truth value are told apart."""
    for value in (1, 1.0, True, 1, 1.0, True):
        add(value, 0)
    add("1", "0")
    add("1", b"0".decode())
    assert ran() == ["add 1 0", "add 1.0 0", "add True 0", "add 1 0"]


def test_zero_and_minus_zero_are_two_arguments(ran: Ran) -> None:
    """They are equal to Python, but ``1/x`` differs."""
    add(0.0, 0.0)
    add(-0.0, 0.0)
    add(0.0, 0.0)
    assert ran() == ["add 0.0 0.0", "add -0.0 0.0"]


def test_every_kind_of_parameter(ran: Ran) -> None:
    """Positional-only, variadic and keyword-only arguments reach the body and the key."""
    wanted = (1, 2, (3, 4), 5, 4, (("x", 6), ("y", 7)))
    assert everything(1, 2, 3, 4, third=5, x=6, y=7) == wanted
    assert everything(1, 2, 3, 4, y=7, x=6, fourth=4, third=5) == wanted
    assert ran() == ["everything"]
    assert everything(1, 2, 3, third=5)[2] == (3,)
    assert everything(1, 2, third=5, rest=3)[5] == (("rest", 3),)
    assert len(ran()) == 2


def test_parameters_may_be_called_like_our_own() -> None:
    """``self``, ``args``, ``function`` and ``options`` are ordinary names to an operation."""
    odd = op(name="t/odd")(
        lambda args, kwargs, function=1, options=2, context=3: (args, kwargs, function, options, context)
    )
    assert odd(1, 2, options=5) == (1, 2, 1, 5, 3)
    keyed = op(name="t/keyed")(lambda **them: sorted(them))
    assert keyed(self=1, spec=2, operation=3) == keyed(self=1, spec=2, operation=3) == ["operation", "self", "spec"]


def test_wrong_arguments_never_reach_the_body(ran: Ran) -> None:
    """The error is a ``TypeError`` that shows what the arguments are."""
    with pytest.raises(ArgumentError, match=r"add: too many positional arguments; its arguments are \(a, b=2\)"):
        add(1, 2, 3)
    with pytest.raises(TypeError, match="missing a required argument: 'a'"):
        add()
    assert ran() == []


def test_fib_runs_each_number_once(ran: Ran) -> None:
    """Every run inside another is kept in its own right."""
    assert fib(50) == 12586269025
    assert len(ran()) == 51
    assert [fib(50), fib(25)] == [12586269025, 75025]
    assert ran() == []


def test_a_new_runtime_over_the_same_cache_finds_everything(make_runtime: Callable[..., Runtime], ran: Ran) -> None:
    """As another process would, which starts with empty memory."""
    fib(50)
    ran()
    with using(make_runtime()):
        assert fib(50) == 12586269025
    assert ran() == []


def test_processes_at_the_same_time_share_one_run(tmp_path: Path) -> None:
    """Three processes ask one cold question at once: one computes, the others get its answer."""
    script = (
        "import sys, time\nfrom rave_core import op\n"
        "@op(name='slow')\ndef slow(x):\n    print('ran', flush=True); time.sleep(0.2); return x\n"
        "print('ready', flush=True); sys.stdin.readline()\nprint(slow(1))\n"
    )
    (tmp_path / "slow.py").write_text(script)
    environ = {"RAVE_CACHE": f"memory:// file://{tmp_path}/data", "HOME": str(tmp_path), "PATH": ""}
    started = [
        subprocess.Popen(
            [sys.executable, "slow.py"],
            cwd=tmp_path,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    printed = sorted("".join(process.communicate()[0] for process in started).split())
    assert printed == ["1", "1", "1", "ran"]


def test_threads_share_one_run(ran: Ran) -> None:
    """Of sixteen threads that ask at once one runs the body."""
    start = threading.Barrier(16)

    def ask(_: int) -> int:
        start.wait()
        result: int = fib(3)
        return result

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(16))) == [2] * 16
    assert sorted(ran()) == ["fib 0", "fib 1", "fib 2", "fib 3"]


def test_none_is_a_value(ran: Ran) -> None:
    """An operation that gives ``None`` is not run again for it."""
    assert nothing(1) is nothing(1) is None
    assert nothing.resolve(1).status == "hit"
    assert ran() == ["nothing"]


@pytest.mark.parametrize("kind", FAILURES)
def test_an_exception_reaches_the_caller_unchanged_and_is_not_kept(ran: Ran, kind: str) -> None:
    """It is the very object that was raised, with the body in its traceback and nothing chained to it."""
    for _ in range(2):
        with pytest.raises(type(FAILURES[kind])) as caught:
            failing(kind)
        assert caught.value is FAILURES[kind]
        assert caught.value.__cause__ is caught.value.__context__ is None
        assert caught.traceback[-1].name == "failing"
    assert ran() == ["failing", "failing"]
    assert failing(kind, rave_dry_run=True) is None


def test_all_who_waited_for_a_failing_run_get_its_exception(ran: Ran, gates: dict[str, threading.Event]) -> None:
    """One run fails for all; none of them tries again by itself."""
    caught = []

    def ask() -> None:
        try:
            held_up(1)
        except OwnError as error:
            caught.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    threads[0].start()
    assert gates["entered"].wait(10)
    for thread in threads[1:]:
        thread.start()
    threads[-1].join(0.2)
    gates["open"].set()
    for thread in threads:
        thread.join(10)
    assert len(caught) == 3
    assert len({id(error) for error in caught}) == len(ran()) == 1


@pytest.mark.parametrize("kind", ["list", "dict", "array", "bytes"])
@pytest.mark.parametrize("cache", [["memory://"], None])
def test_a_caller_that_changes_its_value_changes_nothing_else(
    make_runtime: Callable[..., Runtime], ran: Ran, kind: str, cache: list[str] | None
) -> None:
    """Neither the value of the first call, which ran the body, nor that of a later one is shared with the cache."""
    with using(make_runtime(**({"cache": cache} if cache else {}))):
        for _ in range(3):
            _spoil(make(kind))
        found = make(kind)
        assert found is not make(kind)
        unspoilt = make.function(kind)
        assert np.array_equal(found, unspoilt) if kind == "array" else found == unspoilt
        assert ran().count("make") == 2


def test_a_body_that_changes_its_argument_does_not_change_the_key(ran: Ran) -> None:
    """The key is that of the arguments as they were given."""
    assert greedy([1, 2, 3]) == greedy([1, 2, 3]) == 10
    assert ran() == ["greedy"]


def test_a_converted_default_belongs_to_one_call(ran: Ran) -> None:
    """A list that a typemap makes of a default is made afresh: neither body nor caller can change the next call's."""
    spoiling = op(name="t/spoiling", typemap=(list,))(_spoiling)
    first = spoiling()
    assert first == [1, 2, 3]
    first.append(4)
    assert spoiling(rave_refresh=True) == [1, 2, 3]
    assert spoiling() == spoiling([1, 2]) == [1, 2, 3]
    assert len(ran()) == 2


def test_invalidate_forgets_one_call(ran: Ran) -> None:
    """Only what is kept under these arguments goes."""
    add(1)
    add(2)
    assert add.invalidate(1) is True
    assert add.invalidate(1) is False
    ran()
    add(1)
    add(2)
    assert ran() == ["add 1 2"]


def test_an_outcome_tells_how_the_answer_came_about() -> None:
    """First a miss, then a hit, then a refreshed one; all under the same key."""
    outcomes = [add.resolve(5), add.resolve(5), add.resolve(5, rave_refresh=True)]
    assert [outcome.status for outcome in outcomes] == ["miss", "hit", "refreshed"]
    assert {outcome.key for outcome in outcomes} == {add.key(5)}
    assert all(outcome.entry is not None and outcome.value == 7 for outcome in outcomes)


def test_ignored_parameters_are_no_part_of_the_key(ran: Ran) -> None:
    """The body still gets them."""
    logged = op(name="t/logged", ignore=["log"])(_logged)
    logged(1, log="a")
    logged(1, log="b")
    assert ran() == ["a"]


def _logged(x, log):
    print(log)


def _spoiling(xs=(1, 2)):
    print("spoiling")
    xs.append(3)
    return xs


def _spoil(value: Any) -> None:
    if isinstance(value, dict):
        value["a"].append(9)
    elif isinstance(value, list):
        value[1].append(9)
    else:
        value[0] = 99
