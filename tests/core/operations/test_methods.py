"""Methods: the instance is the first argument, and so part of the key (R6)."""

from __future__ import annotations

import asyncio
import inspect
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from rave_core import Options, RaveWarning, op, op_file, typemap

pytestmark = pytest.mark.usefixtures("runtime")
Ran = Callable[[], list[str]]


@dataclass
class Sensor:
    """Known by its value."""

    name: str
    factor: int = 1

    @op
    def read(self, hour, unit="B"):
        """One hour of it."""
        print("read", self.name, hour)
        return f"{self.name}@{hour * self.factor}{unit}"

    @op
    @typemap(int)
    def typed(self, hour):
        """With a typemap, which does not list ``self``."""
        print("typed")
        return hour

    @op_file(mime_type="text/plain")
    def draw(self, out, hour):
        """A file; the output path follows ``self``."""
        print("draw")
        Path(out).write_text(f"{self.name}@{hour}")

    @op
    async def fetch(self, hour):
        """A coroutine."""
        print("fetch")
        return (self.name, hour)

    @op(ignore=["self"])
    def common(self, hour):
        """The same for every instance."""
        print("common")
        return hour

    @staticmethod
    @op
    def static(hour):
        """Without an instance."""
        print("static")
        return hour

    @classmethod
    @op
    def of_class(cls, hour):
        """With the class."""
        print("of_class")
        return (cls.__name__, hour)


@dataclass
class Better(Sensor):
    """Inherits the operations."""


class Keyed:
    """Says itself what it is known by."""

    def __init__(self, number: int, note: str) -> None:
        self.number = number
        self.note = note

    def __rave_key__(self) -> int:
        return self.number

    @op
    def read(self):
        """Depends on the number alone."""
        print("read")
        return self.number


class Opaque:
    """Holds something that no key can stand for."""

    def __init__(self) -> None:
        self.source = open(__file__)  # noqa: SIM115  # closed by the test

    @op
    def read(self):
        """Can't be kept."""
        print("read")
        return 1


def test_equal_instances_share_results(ran: Ran) -> None:
    """By value, whichever object it is; a different value, or another class, is another argument."""
    assert Sensor("a").read(1) == Sensor("a").read(hour=1) == "a@1B"
    assert ran() == ["read a 1"]
    assert Sensor("b").read(1) == "b@1B"
    assert Sensor("a", 2).read(1) == "a@2B"
    Better("a").read(1)
    assert len(ran()) == 3


def test_a_changed_instance_is_another_argument(ran: Ran) -> None:
    """The key is taken at the call."""
    sensor = Sensor("a")
    sensor.read(1)
    sensor.name = "b"
    assert sensor.read(1) == "b@1B"
    assert ran() == ["read a 1", "read b 1"]


def test_an_instance_may_say_what_it_is_known_by(ran: Ran) -> None:
    """By ``__rave_key__``."""
    assert Keyed(1, "x").read() == Keyed(1, "y").read() == 1
    assert Keyed(2, "x").read() == 2
    assert ran() == ["read", "read"]


def test_an_instance_without_a_key_runs_uncached(ran: Ran) -> None:
    """With one warning that names where the trouble is; never under a key that leaves it out."""
    first, second = Opaque(), Opaque()
    try:
        with pytest.warns(RaveWarning, match=r"Opaque.read runs uncached.*self") as caught:
            assert [instance.read() for instance in (first, second, first)] == [1, 1, 1]
        assert len(caught) == 1
        assert ran() == ["read"] * 3
    finally:
        first.source.close()
        second.source.close()


def test_self_can_be_left_out_of_the_key(ran: Ran) -> None:
    """``ignore=["self"]`` says that it does not matter."""
    assert Sensor("a").common(1) == Sensor("b").common(1) == 1
    assert ran() == ["common"]


def test_a_typemap_does_not_list_self(ran: Ran) -> None:
    """Its first type is that of the first argument that a caller writes."""
    assert Sensor("a").typed("1") == Sensor("a").typed(1.0) == 1
    assert ran() == ["typed"]
    with pytest.raises(TypeError, match="'hour' is 'x'"):
        Sensor("a").typed("x")


def test_a_method_that_writes_a_file(tmp_path: Path, ran: Ran) -> None:
    """The output path goes after ``self``, and options work as ever."""
    path = Sensor("a").draw(1)
    assert Path(path).read_text() == "a@1"
    assert Sensor("a").draw(hour=1) == path
    target = tmp_path / "out"
    assert Sensor("a").draw(2, rave_tofile=target) == target
    assert target.read_text() == "a@2"
    assert ran() == ["draw", "draw"]


def test_an_async_method(ran: Ran) -> None:
    """Awaited like any other, and known as a coroutine function."""
    sensor = Sensor("a")
    assert asyncio.run(sensor.fetch(1)) == asyncio.run(sensor.fetch(hour=1)) == ("a", 1)
    assert ran() == ["fetch"]


def test_static_and_class_methods(ran: Ran) -> None:
    """Their decorators go on top; the class is part of the key."""
    assert Sensor.static(1) == Sensor("a").static(1) == 1
    assert Sensor.of_class(1) == Sensor("a").of_class(1) == ("Sensor", 1)
    assert Better.of_class(1) == ("Better", 1)
    assert ran() == ["static", "of_class", "of_class"]


def test_calling_through_the_class_is_the_same_call(ran: Ran) -> None:
    """``Sensor.read(sensor, 1)`` as ``sensor.read(1)``."""
    sensor = Sensor("a")
    assert sensor.read(1) == Sensor.read(sensor, 1) == Sensor.read(self=sensor, hour=1)
    assert ran() == ["read a 1"]


def test_everything_else_works_on_a_bound_operation(ran: Ran) -> None:
    """Keys, outcomes, options and forgetting, all for this instance."""
    sensor = Sensor("a")
    assert sensor.read.key(1) == Sensor.read.key(sensor, 1)
    assert sensor.read.resolve(1).status == "miss"
    assert sensor.read.answering(Options(dry_run=True))(1) == "a@1B"
    assert sensor.read(1, rave_refresh=True) == "a@1B"
    assert sensor.read.invalidate(1)
    assert not sensor.read.invalidate(1)
    assert sensor.read(1, rave_dry_run=True) is None
    assert ran() == ["read a 1", "read a 1"]


def test_a_bound_operation_looks_like_a_method() -> None:
    """Its signature has no ``self``, its name and docstring are those of the function."""
    sensor = Sensor("a")
    assert str(inspect.signature(sensor.read)) == "(hour, unit='B')"
    assert str(inspect.signature(Sensor.read)) == "(self, hour, unit='B')"
    assert str(inspect.signature(sensor.draw)) == "(hour) -> str"
    assert (sensor.read.__name__, sensor.read.__doc__) == ("read", "One hour of it.")


def test_a_bound_operation_can_be_pickled(ran: Ran) -> None:
    """As a bound method can, so that a pool of processes may be given one."""
    bound = pickle.loads(pickle.dumps(Sensor("a").read))
    assert bound(1) == "a@1B"
    assert bound.resolve(1).status == "hit"
