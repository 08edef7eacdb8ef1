"""One run per key: among threads, among processes, in nested operations, and when the body fails."""

from __future__ import annotations

import threading
import traceback
from collections import Counter

import pytest

from rave_core import op

CALLER = """
@op
def slow(n):
    log(f"slow {n}")
    time.sleep(0.05)
    return n * n

@op
def fib(n):
    log(f"fib {n}")
    return n if n < 2 else fib(n - 2) + fib(n - 1)

@op
def waits_for(mine, other):
    log(f"in {mine}")
    until(lambda: f"in {other}\\n" in open(LOG).read())
    return mine

print("ready", flush=True)
for line in sys.stdin:
    print(eval(line), flush=True)
"""


@pytest.fixture
def callers(start):
    """Six processes that evaluate what they are told, all at once."""
    processes = [start(CALLER) for _ in range(6)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"

    def tell(*lines):
        for number, process in enumerate(processes):
            process.stdin.write(lines[number % len(lines)] + "\n")
            process.stdin.flush()
        return [process.stdout.readline().strip() for process in processes]

    return tell


def test_sixteen_threads_run_the_body_once(runtime, together, tape):
    """Ten rounds of sixteen threads that ask for one cold key at the same moment: ten runs, a value for each caller."""

    @op(name="fire/threads")
    def slow(n):
        tape.append(n)
        threading.Event().wait(0.02)
        return [n]

    for turn in range(10):
        answers = together(16, lambda _, turn=turn: slow(turn))
        assert answers == [[turn]] * 16
        assert len({id(answer) for answer in answers}) == 16
    assert tape == list(range(10))


def test_six_processes_run_the_body_once(callers, log):
    """Ten rounds of six processes that ask for one cold key at the same moment: ten runs."""
    for turn in range(10):
        assert callers(f"slow({turn})") == [str(turn * turn)] * 6
    assert log() == [f"slow {turn}" for turn in range(10)]


def test_six_processes_share_the_steps_of_a_recursion(callers, log):
    """Each key of a recursive operation runs once in all, whoever gets there first, and nobody waits for ever."""
    assert callers("fib(40)", "fib(39)", "fib(38)") == ["102334155", "63245986", "39088169"] * 2
    assert Counter(log()) == {f"fib {n}": 1 for n in range(41)}


def test_sixteen_threads_share_the_steps_of_a_recursion(runtime, together, tape):
    """Likewise among threads, which start at different depths."""

    @op(name="fire/fib")
    def fib(n):
        tape.append(n)
        return n if n < 2 else fib(n - 2) + fib(n - 1)

    answers = together(16, lambda number: fib(15 + number))
    assert answers[:3] == [610, 987, 1597]
    assert sorted(tape) == list(range(31))


def test_a_failure_reaches_all_who_waited(runtime, together, until, tape):
    """The body of sixteen callers runs once; its own exception, the same object, goes to each; nothing is kept."""
    tape.boom = LookupError("boom")
    flights = runtime.container.engine.flights._flights
    tape.wait = lambda: until(lambda: len(next(iter(flights.values()))._waiters) == 15, "fifteen others wait")

    @op(name="fire/fails")
    def fails(n):
        tape.append(n)
        tape.wait()
        raise tape.boom

    def call(_):
        with pytest.raises(LookupError) as caught:
            fails(1)
        return caught.value

    assert together(16, call) == [tape.boom] * 16
    assert len(list(traceback.walk_tb(tape.boom.__traceback__))) < 40, "it does not collect the frames of all of them"
    assert tape == [1]
    assert not list(runtime.cache.backend.keys())


def test_a_failure_is_not_kept(runtime, tape):
    """Who asks after a failure runs the body again."""

    @op(name="fire/fails_at_first")
    def fails_at_first(n):
        tape.append(n)
        if len(tape) == 1:
            raise LookupError("boom")
        return n

    with pytest.raises(LookupError):
        fails_at_first(1)
    assert (fails_at_first(1), fails_at_first(1), tape) == (1, 1, [1, 1])


def test_threads_with_different_keys_do_not_wait_for_each_other(runtime, together, tape):
    """Sixteen bodies are inside at the same time."""
    tape.inside = threading.Barrier(16)

    @op(name="fire/meets")
    def meets(n):
        tape.inside.wait(20)
        return n

    assert together(16, meets) == list(range(16))


def test_processes_with_different_keys_do_not_wait_for_each_other(callers):
    """Two bodies, each of which ends only when the other has begun, both end."""
    assert callers("waits_for(1, 2)", "waits_for(2, 1)") == ["1", "2"] * 3


def test_steps_in_opposite_order_do_not_block_each_other(runtime, together):
    """Computations that wait for each other's steps all end."""

    @op(name="fire/step")
    def step(n):
        threading.Event().wait(0.01)
        return n

    @op(name="fire/both")
    def both(first, second):
        return step(first) + step(second)

    for turn in range(5):
        pairs = ((2 * turn, 2 * turn + 1), (2 * turn + 1, 2 * turn))
        answers = together(8, lambda number, pairs=pairs: both(*pairs[number % 2]))
        assert answers == [4 * turn + 1] * 8
