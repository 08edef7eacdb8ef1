"""The encoding of instances, classes, functions and the standard library's values."""

from __future__ import annotations

import array
import collections
import copy
import dataclasses
import datetime as dt
import enum
import functools
import ipaddress
import operator
import os
import pathlib
import re
import time
import uuid
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rave_core.errors import UnencodableError
from rave_core.fingerprint.encoder import encode

T = TypeVar("T")


@dataclasses.dataclass
class Window:
    """Fields, one of them not compared."""

    start: object
    note: object = dataclasses.field(default=None, compare=False)


@dataclasses.dataclass
class ModuleProxy(Window):
    """The same fields in another class."""


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen(Generic[T]):
    """Slots in place of a ``__dict__``."""

    start: T


@dataclasses.dataclass
class Derived:
    """Keeps something that is no field, and remembers something computed."""

    start: dataclasses.InitVar[int]

    def __post_init__(self, start: int) -> None:
        self.end = start + 1

    @functools.cached_property
    def twice(self) -> int:
        """Computed when first asked for."""
        return self.end * 2


@dataclasses.dataclass
class Generics(Generic[T]):
    """``Generics[int](1)`` notes its type parameter on itself."""

    start: T


@attrs.define
class Slotted:
    """An attrs class with slots, where attrs keeps a cached property too."""

    start: object

    @functools.cached_property
    def twice(self) -> object:
        """Computed when first asked for."""
        return (self.start, self.start)


@attrs.define(slots=False)
class Unslotted:
    """An attrs class without slots."""

    start: object


class Point(NamedTuple):
    """A named tuple."""

    x: object
    y: object


Pair = collections.namedtuple("Pair", "x y")


class Colour(enum.Enum):
    """An ordinary enum, with a marker that has no encoding of its own."""

    RED = 1
    BLUE = 2
    NONE = object()


class Level(enum.IntEnum):
    """Members that equal their numbers."""

    LOW = 1


class Rights(enum.Flag):
    """Members that combine."""

    READ = 1
    WRITE = 2


class MyInt(int):
    """A subclass of a built-in."""


class MyList(list):  # type: ignore[type-arg]  # as people write it
    """A list that hides what it holds from iteration, and may have attributes."""

    def __iter__(self) -> Any:
        return iter(())


class MySlots(str):
    """A str with a slot."""

    __slots__ = ("__private",)

    def noted(self, private: object) -> MySlots:
        """Itself, with something in its slot."""
        self.__private = private
        return self


def with_attribute(value: Any, **attributes: object) -> Any:
    """``value`` with attributes set."""
    vars(value).update(attributes)
    return value


BERLIN = ZoneInfo("Europe/Berlin")
CET = dt.timezone(dt.timedelta(hours=1), "CET")
NOON = dt.datetime(2024, 1, 1, 12)

DIFFERENT = [
    (Window(1), Window(2)),
    (Window(1, note=1), Window(1, note=2)),
    (Window(1), ModuleProxy(1)),
    (Window(1), with_attribute(Window(1), extra=1)),
    (Window(1), {"start": 1, "note": None}),
    (Frozen(1), Frozen(1.0)),
    (Derived(1), Derived(2)),
    (Slotted(1), Slotted(2)),
    (Slotted(1), Unslotted(1)),
    (Point(1, 2), Pair(1, 2)),
    (Point(1, 2), (1, 2)),
    (Colour.RED, Colour.BLUE),
    (Colour.RED, 1),
    (Colour.NONE, Colour.BLUE),
    (Level.LOW, 1),
    (Rights.READ, Rights.READ | Rights.WRITE),
    (Rights.READ, Rights.WRITE),
    (MyInt(1), 1),
    (MyInt(1), MyInt(2)),
    (with_attribute(MyInt(1), unit="m"), with_attribute(MyInt(1), unit="s")),
    (MyList([1]), MyList([2])),
    (MyList([1]), [1]),
    (MySlots("a").noted(1), MySlots("a").noted(2)),
    (Window, ModuleProxy),
    (list[int], list[str]),
    (int | str, int | bytes),
    (NOON, NOON.replace(tzinfo=dt.UTC)),
    (NOON.replace(tzinfo=BERLIN), NOON.replace(tzinfo=CET)),
    (NOON.replace(tzinfo=BERLIN), NOON.replace(tzinfo=ZoneInfo("Europe/Paris"))),
    (NOON.replace(tzinfo=BERLIN), NOON.replace(hour=11, tzinfo=dt.UTC)),
    (NOON, NOON.replace(fold=1)),
    (NOON, NOON.date()),
    (NOON.time(), NOON.time().replace(tzinfo=dt.UTC)),
    (dt.timedelta(1), dt.timedelta(seconds=1)),
    (dt.UTC, CET),
    (BERLIN, "Europe/Berlin"),
    (Decimal("1.0"), Decimal("1.00")),
    (Decimal(1), 1),
    (Fraction(1), 1),
    (Fraction(1, 2), Fraction(1, 3)),
    (uuid.UUID(int=1), 1),
    (pathlib.PurePosixPath("a/b"), pathlib.PureWindowsPath("a/b")),
    (pathlib.Path("a"), "a"),
    (ipaddress.ip_address("10.0.0.1"), ipaddress.ip_network("10.0.0.1")),
    (ipaddress.ip_address("::1%a"), ipaddress.ip_address("::1%b")),
    (re.compile("a"), re.compile("a", re.I)),
    (re.compile("a"), re.compile(b"a")),
    (array.array("i", [1]), array.array("I", [1])),
    (functools.partial(int, base=2), functools.partial(int, base=3)),
    (functools.partial(int), int),
    (operator.itemgetter(1), operator.itemgetter(2)),
    (operator.itemgetter("a"), operator.attrgetter("a")),
    (operator.methodcaller("a", b=1), operator.methodcaller("a", b=2)),
    (len, print),
    (str.upper, str.lower),
    ("a".upper, "b".upper),
    (lambda x: x + 1, lambda x: x + 2),
    (lambda x, y=1: x, lambda x, y=2: x),
    (time.gmtime(0), time.gmtime(1)),
    (time.gmtime(0), tuple(time.gmtime(0))),
]

EQUAL: list[Callable[[], object]] = [
    lambda: Window([1], {"a": 1}),
    lambda: Frozen((1, 2)),
    lambda: Slotted([1]),
    lambda: Unslotted([1]),
    lambda: Point(1, [2]),
    lambda: Colour(1),
    lambda: MyList([1, [2]]),
    lambda: NOON.replace(tzinfo=ZoneInfo.no_cache("Europe/Berlin")),
    lambda: Decimal("nan"),
    lambda: pathlib.Path("a") / "b",
    lambda: re.compile("a+"),
    lambda: functools.partial(Window, note=[1]),
    lambda: lambda x, *, y=(1, 2): [x for _ in y],
    lambda: pathlib.Path(os.devnull).stat(),
]


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_different_things_differ(left: object, right: object) -> None:
    """Class, fields, zone, flags, code, defaults and captured values count."""
    assert encode(left) != encode(right)


@pytest.mark.parametrize("make", EQUAL)
def test_things_made_alike_agree(make: Callable[[], object]) -> None:
    """Two values made in the same way have one encoding."""
    left, right = make(), make()
    assert encode(left) == encode(right)


@given(st.datetimes(timezones=st.none() | st.timezones()), st.timedeltas(), st.decimals() | st.fractions() | st.uuids())
def test_a_copied_moment_has_the_same_encoding(moment: dt.datetime, span: dt.timedelta, number: object) -> None:
    """Copies of dates, spans and numbers have the encoding of the original."""
    value = {moment: span, "number": number}
    assert encode(copy.deepcopy(value)) == encode(value)


@given(st.datetimes(), st.datetimes())
def test_two_datetimes_differ_as_their_fields_do(left: dt.datetime, right: dt.datetime) -> None:
    """Naive datetimes have one encoding exactly when they are equal and of one fold."""
    assert (encode(left) == encode(right)) == (left == right and left.fold == right.fold)


@pytest.mark.parametrize("value", [Derived(1), Slotted(1)])
def test_a_cached_property_is_no_part_of_the_value(value: Any) -> None:
    """Looking at a computed attribute does not change the key, and encoding does not compute it."""
    before = encode(value)
    assert value.twice is not None
    assert encode(value) == before


def test_a_type_parameter_is_no_part_of_the_value() -> None:
    """``Generics[int](1)`` equals ``Generics(1)``."""
    assert encode(Generics[int](1)) == encode(Generics(1))


def test_an_attribute_is_named_in_the_path() -> None:
    """The path of an error goes through attributes, keys and items."""
    with pytest.raises(UnencodableError) as caught:
        encode([Window({"a": Slotted(object())})])
    assert caught.value.path == "[0].start['a'].start"


def test_an_instance_inside_itself_is_found() -> None:
    """Cycles through attributes and through subclasses of built-ins are refused."""
    window, row = Window(None), MyList()
    window.start = [window]
    row.append(row)
    for value in (window, row):
        with pytest.raises(UnencodableError, match="contains itself"):
            encode(value)


def test_a_dataclass_that_is_an_exception_counts_with_its_arguments() -> None:
    """An exception keeps its arguments out of its fields; both count."""

    @dataclasses.dataclass
    class Failure(Exception):
        code: int

    changed = Failure(1)
    changed.args = (2,)
    assert encode(Failure(1)) == encode(Failure(1)) not in (encode(Failure(2)), encode(changed))


@pytest.mark.parametrize("module", ["decimal", "numpy", "pandas.core.frame", None])
def test_a_class_is_not_taken_for_the_one_whose_name_it_has(module: str | None) -> None:
    """A class that claims another module is not encoded as that module's class of the name."""
    for name in ("Decimal", "ndarray", "DataFrame"):
        impostor = type(name, (), {"__module__": module, "kind": 1})
        other = type(name, (), {"__module__": module, "kind": 2})
        assert encode(impostor()) == encode(impostor()) != encode(other())
        assert not encode(impostor()).startswith((b"k", b"p"))
