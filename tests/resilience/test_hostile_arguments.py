"""Arguments that lie or raise: never a wrong value, never an error but the body's own."""

from __future__ import annotations

import enum

import pytest

from rave_core import op, op_file


class Boom(Exception):
    """Raised by hostile methods; even showing it fails."""

    def __str__(self):
        raise RuntimeError("no text either")


def _boom(*_):
    raise Boom


class BadHash:
    """Its hash raises."""

    __hash__ = _boom
    __eq__ = _boom


class BadRepr:
    """Can't be shown."""

    __repr__ = _boom
    __str__ = _boom


class BadShape:
    """Raises when it is looked at."""

    shape = property(_boom)
    __class__ = property(_boom)


class BadGetattr:
    """Raises whatever is asked for."""

    def __getattr__(self, name):
        raise Boom


class BadReduce:
    """Can't be copied or pickled."""

    __reduce__ = _boom
    __reduce_ex__ = _boom


class BadKey:
    """Has a key that can't be had."""

    __rave_key__ = _boom


class YesMan:
    """Equal to everything, with the hash of 1."""

    def __eq__(self, other):
        return True

    def __hash__(self):
        return hash(1)


class Colour(enum.Enum):
    """What `Liar` claims to be."""

    RED = 1


class Liar:
    """A mutable object that claims to be a member of an enumeration."""

    def __init__(self):
        self.items = []

    @property
    def __class__(self):
        return Colour


class Text(str):
    """A text with a mark of its own."""

    __slots__ = ("mark",)


class array(list):  # noqa: N801  # so that it looks like array.array to who goes by names
    """A list by another name."""


class deque:  # noqa: N801  # likewise
    """No deque at all, by its name alone."""


ARGUMENTS = [BadHash, BadRepr, BadShape, BadGetattr, BadReduce, BadKey, YesMan, Liar, array, deque]


@op(name="fire/kind", version=1)
def kind(value):
    """The name of a type."""
    return type(value).__name__


@op_file(name="fire/kind_file", version=1, mime_type="text/plain")
def kind_file(out, value):
    """Likewise, as a file."""
    with open(out, "w") as file:
        file.write(type(value).__name__)


@pytest.mark.parametrize("hostile", ARGUMENTS)
def test_a_hostile_argument_gets_its_answer(runtime, hostile):
    """Cached or not: the right value, no exception but the body's own, whatever was asked before it."""
    assert kind(1) == "int"
    for _ in range(2):
        assert kind(hostile()) == hostile.__name__
        assert kind(1) == "int"
        with open(kind_file(hostile())) as file:
            assert file.read() == hostile.__name__


def test_a_hostile_argument_inside_another_gets_its_answer(runtime):
    """Deep inside containers too."""
    for hostile in ARGUMENTS:
        if hostile is not BadHash:
            assert kind((1, {"a": [hostile()]})) == "tuple"
        assert kind([hostile()]) == "list"


def test_an_argument_that_equals_everything_is_itself(runtime):
    """It neither gets the result of 1 nor is taken for it."""
    assert [kind(value) for value in (1, YesMan(), 1, True, 1.0)] == ["int", "YesMan", "int", "bool", "float"]


def test_a_key_that_raises_means_uncached(runtime, warned):
    """One warning names the argument; the call has no key."""
    with warned() as messages:
        assert [kind.resolve(BadKey()).status for _ in range(2)] == ["uncached"] * 2
    assert len(messages) == 1
    assert "args.value" in messages[0]


def test_a_subclass_of_str_is_another_argument(runtime):
    """With the same text, and again with another attribute."""
    one, two = Text("a"), Text("a")
    two.mark = 1
    keys = {kind.key(value).arguments for value in ("a", one, two)}
    assert len(keys) == 3
    assert [kind(value) for value in ("a", one, two)] == ["str", "Text", "Text"]


@pytest.mark.parametrize("deep", [100, 5_000, 50_000])
@pytest.mark.parametrize("make", [lambda inner: [inner], lambda inner: {"a": inner}, lambda inner: (inner,)])
def test_a_nested_argument_gets_its_answer(runtime, make, deep):
    """However deep: cached where it can be encoded, else uncached."""
    value = 1
    for _ in range(deep):
        value = make(value)
    assert kind(value) == type(value).__name__


def test_a_number_of_any_size_is_kept(runtime):
    """Also where Python refuses to write it in decimal digits."""
    assert [kind.resolve(10**5000).status for _ in range(2)] == ["miss", "hit"]
    assert [kind.resolve([-(10**5000)]).status for _ in range(2)] == ["miss", "hit"]
