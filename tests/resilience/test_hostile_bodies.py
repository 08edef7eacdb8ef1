"""Bodies that raise, recur or change what they got, and results that can't be kept or do not come back."""

from __future__ import annotations

import enum
import threading
from types import GeneratorType

import pytest

from rave_core import op, op_file, using

INTERRUPTS = [KeyboardInterrupt, SystemExit, GeneratorExit]


class Boom(Exception):
    """Even showing it fails."""

    def __str__(self):
        raise RuntimeError("no text either")


class Unpicklable:
    """Can't be copied or pickled."""

    def __reduce_ex__(self, protocol):
        raise Boom


class Liar:
    """A mutable object that claims to be another, or raises when it is asked what it is."""

    @property
    def __class__(self):
        return self.claim()


class Colour(enum.Enum):
    """What never changes."""

    RED = 1


class Red(Liar):
    """Claims to be a member of an enumeration, of which a memory tier hands out one for all."""

    def claim(self):
        """What it claims to be."""
        return Colour

    def __reduce__(self):
        return Red, ()


class Silent(Liar):
    """Raises when it is asked."""

    def claim(self):
        """What it does not tell."""
        raise Boom


ERRORS = [StopIteration, StopAsyncIteration, MemoryError, RecursionError, Boom, *INTERRUPTS]


@op(name="fire/plain", version=1)
def plain(n):
    """The name of a type."""
    return type(n).__name__


@pytest.mark.parametrize(
    "error",
    [
        StopIteration,
        StopAsyncIteration,
        GeneratorExit,
        KeyboardInterrupt,
        SystemExit,
        MemoryError,
        RecursionError,
        Boom,
    ],
)
@pytest.mark.parametrize("make", [op, op_file])
def test_whatever_a_body_raises_reaches_its_caller(runtime, tape, error, make):
    """The very object; nothing is kept, nothing stays under way, and the next call runs again."""
    tape.error = error(7)

    def raises(first):
        tape.append(first)
        raise tape.error

    raising = make(name="fire/raises")(raises)
    for turn in (1, 2):
        with pytest.raises(error) as caught:
            raising(*([] if make is op_file else [1]))  # of a file operation the path is the first
        assert caught.value is tape.error
        assert len(tape) == turn
    assert runtime.container.engine.flights.under_way() == []
    assert [list(cache.backend.keys()) for cache in (runtime.cache, runtime.products)] == [[], []]


@pytest.mark.parametrize("error", INTERRUPTS)
def test_who_waited_for_an_interrupted_body_runs_it_again(runtime, together, until, tape, error):
    """An interrupt is the business of the thread that it hit: the fifteen others get the value."""
    flights = runtime.container.engine.flights._flights
    tape.wait = lambda: until(lambda: len(next(iter(flights.values()))._waiters) == 15, "fifteen others wait")
    tape.error = error

    @op(name="fire/interrupted")
    def interrupted(n):
        tape.append(n)
        if len(tape) == 1:
            tape.wait()
            raise tape.error
        return [n]

    def ask(_):
        try:
            return interrupted(1)
        except BaseException as error:
            return type(error)

    assert sorted(map(repr, together(16, ask))) == sorted([*["[1]"] * 15, repr(error)])
    assert len(tape) == 2


def test_an_interrupt_between_claim_and_body_gives_the_lease_back(runtime, monkeypatch):
    """Whoever asks next, here or elsewhere, need not wait for the end of this process."""
    find, calls = runtime.cache.find, []

    def interrupted(key):
        calls.append(key)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return find(key)

    monkeypatch.setattr(runtime.cache, "find", interrupted)
    with pytest.raises(KeyboardInterrupt):
        plain(1)
    assert plain.resolved().leases.holder(plain.key(1).text) is None
    assert plain(1) == "int"


@op(name="fire/itself", version=1)
def itself(n):
    """Calls itself with its own argument."""
    return itself(n)


@op(name="fire/deeper", version=1)
def deeper(n):
    """Calls itself with ever new arguments."""
    return deeper(n + 1)


@pytest.mark.parametrize("endless", [itself, deeper])
def test_endless_recursion_is_a_recursion_error(make_runtime, endless, warned, until, monkeypatch):
    """Not a deadlock; whatever the depth at which it strikes, no key stays under way, and no lease for long."""
    monkeypatch.setattr("rave_core.engine.effects._DEEPEST", 0)  # at the end of this thread's stack, not of many
    runtime = make_runtime(lease_time=0.3)

    def at(depth):
        return at(depth - 1) if depth else endless(1)

    with using(runtime), warned():
        for depth in range(25):
            with pytest.raises(RecursionError):
                at(depth)
    assert runtime.container.engine.flights.under_way() == []
    until(
        lambda: not any(each._held for each in runtime.container._leases.values() if each), "all leases are given back"
    )


def test_a_body_that_changes_its_arguments_changes_its_own_key_only(runtime, tape):
    """The key is that of what the caller gave."""

    @op(name="fire/changes")
    def changes(items):
        tape.append([*items])
        items.append(3)
        return len(items)

    assert [changes([1, 2]), changes([1, 2]), changes([1, 2, 3])] == [3, 3, 4]
    assert tape == [[1, 2], [1, 2, 3]]


UNKEPT = {
    "generator": lambda: (n for n in range(3)),
    "lock": threading.Lock,
    "lambda": lambda: lambda: 1,
    "unpicklable": Unpicklable,
    "deep": lambda: _nested(5000),
    "silent about its class": Silent,
    "lying about its class": Red,
}


def _nested(deep):
    value = []
    for _ in range(deep):
        value = [value]
    return value


@pytest.mark.parametrize("name", UNKEPT)
def test_a_result_that_can_t_be_kept_is_given(runtime, tape, warned, name):
    """To each caller its own, from a run of its own unless it could be kept after all."""
    tape.make = UNKEPT[name]

    @op(name="fire/unkept")
    def unkept(n):
        tape.append(n)
        return tape.make()

    with warned() as messages:
        first, second = unkept(1), unkept(1)
    assert first is not second
    assert type(first) is type(tape.make())
    assert len(messages) <= 1
    if type(first) is GeneratorType:
        assert list(first) == list(second) == [0, 1, 2]
        assert "generator" in messages[0]
        assert len(tape) == 2


FRAGILE = """
class Fragile:
    def __reduce__(self):
        return _rebuild, (os.getpid(),)

def _rebuild(pid):
    raise OSError(f"made by {pid}")

@op(name="fire/fragile", version=1)
def fragile(n):
    log("run")
    return Fragile()

print(type(fragile(1)).__name__, type(fragile(1)).__name__, flush=True)
"""


def test_a_result_that_does_not_come_back_is_made_anew(start, log):
    """Here and in another process: its pickle can be written but not read."""
    for turn in (1, 2):
        child = start(FRAGILE)
        assert child.communicate()[0] == "Fragile Fragile\n"
        assert child.returncode == 0
        assert len(log()) == 2 * turn
