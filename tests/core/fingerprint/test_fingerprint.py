"""The canonical encoding of built-in values, its errors and its registry."""

from __future__ import annotations

import base64
import collections
import copy
import hashlib
import math
import random
import struct
import sys
import threading
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rave_core.errors import DuplicateError, UnencodableError
from rave_core.fingerprint import digest, register
from rave_core.fingerprint.encoder import encode, short_digest

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.integers(),
    st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf]),
    st.floats(),
    st.text(st.characters(exclude_categories=()), max_size=3),
    st.sampled_from(["1", "x y", "z", "i1;"]),
    st.binary(max_size=3),
    st.complex_numbers(),
)
hashables = st.recursive(scalars, lambda inner: st.tuples(inner) | st.frozensets(inner, max_size=3), max_leaves=4)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.sets(hashables, max_size=3),
        st.frozensets(hashables, max_size=3),
        st.dictionaries(hashables, inner, max_size=3),
    ),
    max_leaves=8,
)


def model(value: object) -> object:
    """What the encoding must tell apart, said in hashable values with their types."""
    if isinstance(value, float):
        return ("float", "nan" if value != value else struct.pack("d", value))
    if isinstance(value, complex):
        return ("complex", model(value.real), model(value.imag))
    if isinstance(value, dict):
        pairs = collections.Counter((model(key), model(item)) for key, item in value.items())
        return ("dict", frozenset(pairs.items()))
    if isinstance(value, set | frozenset):
        return (type(value).__name__, frozenset(collections.Counter(map(model, value)).items()))
    if isinstance(value, list | tuple):
        return (type(value).__name__, tuple(map(model, value)))
    return (type(value).__name__, value)


def shuffled(value: object) -> object:
    """An equal value, made anew with dicts and sets filled in another order."""
    if isinstance(value, dict):
        pairs = [(shuffled(key), shuffled(item)) for key, item in value.items()]
        random.shuffle(pairs)
        return dict(pairs)
    if isinstance(value, list | tuple | set | frozenset):
        items = [shuffled(item) for item in value]
        if isinstance(value, set | frozenset):
            random.shuffle(items)
        return type(value)(items)
    return copy.deepcopy(value)


@given(values, values)
def test_encodings_are_equal_exactly_when_values_and_types_are(left: object, right: object) -> None:
    """The encoding is injective, and nothing but type and value is in it."""
    assert (encode(left) == encode(right)) == (model(left) == model(right))


@given(values)
def test_a_copy_in_another_order_has_the_same_encoding(value: object) -> None:
    """Identity and the order of dicts and sets don't count."""
    assert encode(shuffled(value)) == encode(value)


@given(st.lists(values, max_size=4), st.lists(values, max_size=4))
def test_a_row_of_encodings_reads_in_one_way_only(left: list[object], right: list[object]) -> None:
    """Encodings need no separators: two rows that join to the same bytes are the same row."""
    joined = [b"".join(map(encode, row)) for row in (left, right)]
    assert (joined[0] == joined[1]) == (model(left) == model(right))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (("x y", "z"), ("x", "y z")),
        (("ab", "c"), ("a", "bc")),
        (1, "1"),
        (1, 1.0),
        (1, True),
        (0, False),
        ("1", b"1"),
        (b"1", bytearray(b"1")),
        (b"1", memoryview(b"1")),
        (None, "None"),
        ([1, 2], (1, 2)),
        ([[1], 2], [[1, 2]]),
        ({1}, frozenset({1})),
        ({"a": 1}, [("a", 1)]),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
        (0.0, -0.0),
        ([], ()),
        (range(3), [0, 1, 2]),
        (slice(1), slice(None, 1, 1)),
        (..., NotImplemented),
        (int, "builtins:int"),
        (collections.OrderedDict(a=1, b=2), collections.OrderedDict(b=2, a=1)),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.Counter("a"), {"a": 1}),
        (collections.defaultdict(list[int]), collections.defaultdict(set[int])),
        (collections.deque([1]), [1]),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (types.SimpleNamespace(a=1), {"a": 1}),
        (types.SimpleNamespace(a="b"), types.SimpleNamespace(a="c")),
        (memoryview(b"abcd"), memoryview(b"abcd").cast("B", (2, 2))),
        ("\ud800\udc00", "\U00010000"),
    ],
)
def test_different_values_differ(left: object, right: object) -> None:
    """Pairs that caches of others have taken for each other have different keys."""
    assert encode(left) != encode(right)
    assert digest([("x", left)]) != digest([("x", right)])


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({math.nan: 1, -math.nan: 2}, {-math.nan: 2, math.nan: 1}),
        (math.nan, struct.unpack("d", struct.pack("Q", 0xFFF8000000000007))[0]),
        (range(0, 3, 2), range(0, 4, 2)),
        (range(0), range(5, 5)),
        (collections.defaultdict(int, a=1, b=2), collections.defaultdict(int, b=2, a=1)),
        (types.SimpleNamespace(a=1, b=2), types.SimpleNamespace(b=2, a=1)),
        (memoryview(b"abcdef")[::2], memoryview(b"ace")),
        (["x" * 50] * 2, ["x" * 50, "".join(["x"] * 50)]),
    ],
)
def test_equal_values_agree(left: object, right: object) -> None:
    """Equal values have one key, whatever their order, layout or identity."""
    assert encode(left) == encode(right)


def test_keyword_and_positional_arguments_are_not_confused() -> None:
    """``f(1, x=2)`` and ``f(1, 'x', 2)`` have different digests, and so have parameters that share a value."""
    named = [("a", 1), ("x", 2)]
    assert digest(named) != digest([("args", (1, "x", 2))])
    assert digest(named) != digest([("a", 2), ("x", 1)])
    assert digest([("a", "b"), ("c", "d")]) != digest([("a", "bc"), ("", "d")])
    assert digest([("a", 1)]) != digest([("b", 1)])


@given(st.binary(max_size=40))
def test_a_short_digest_is_base32(data: bytes) -> None:
    """A short digest is the standard base32 of ten bytes of blake2b."""
    expected = base64.b32encode(hashlib.blake2b(data, digest_size=10).digest()).decode().lower()
    assert short_digest(data) == expected


def test_a_digest_is_that_of_the_encodings() -> None:
    """A digest is 32 characters of base32 over the encodings of names and values in order."""
    data = encode("a") + encode([1, 2]) + encode("b") + encode(None)
    raw = hashlib.blake2b(data, digest_size=20, person=b"rave-args-v2").digest()
    assert digest([("a", [1, 2]), ("b", None)]) == base64.b32encode(raw).decode().lower()


def test_an_int_of_any_size_is_encoded() -> None:
    """Python's limit on decimal digits does not apply, and neighbours differ."""
    assert encode(10**10_000) != encode(10**10_000 + 1)
    assert encode(range(10**30)) != encode(range(10**30 + 1))


class Unknown:
    """A class whose instances have an identity and nothing else that tells them apart."""

    def __next__(self) -> None:
        """Makes it an iterator, which changes when it is looked at."""


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (Unknown(), ""),
        ([0, 1, 2, Unknown()], "[3]"),
        ({"k": Unknown()}, "['k']"),
        ({"k": (1, {2: [Unknown()]})}, "['k'][1][2][0]"),
        ({Unknown()}, "[<Unknown>]"),
        ({Unknown(): 1}, "[<Unknown>]"),
        (types.SimpleNamespace(model=Unknown()), ".model"),
        (collections.deque([0, Unknown()]), "[1]"),
        (collections.OrderedDict(a=Unknown()), "['a']"),
        (collections.defaultdict(None, a=Unknown()), "['a']"),
        (types.MappingProxyType({"a": Unknown()}), "['a']"),
    ],
)
def test_an_error_names_the_path(value: object, path: str) -> None:
    """The error tells where in the argument the value stands, its type, and what to do."""
    with pytest.raises(UnencodableError, match=r"Unknown has no canonical encoding: .*__rave_key__.*ignore=") as caught:
        encode(value)
    assert caught.value.path == path
    with pytest.raises(UnencodableError) as caught:
        digest([("a", 1), ("config", value)])
    assert caught.value.path == f"args.config{path}"


@pytest.mark.parametrize("value", [object(), iter([]), types, (n for n in "a"), threading.Lock(), sys.stderr])
def test_what_is_known_by_identity_alone_is_refused(value: object) -> None:
    """There is no fall-back to pickle, ``str`` or ``repr``."""
    with pytest.raises(UnencodableError, match="has no canonical encoding"):
        encode(value)


def test_a_cycle_is_found() -> None:
    """A container inside itself is refused with the place where it comes round."""
    row: list[object] = [1]
    row.append({"again": row})
    with pytest.raises(UnencodableError, match="contains itself") as caught:
        encode(row)
    assert caught.value.path == "[1]['again']"


def test_a_value_may_stand_in_two_places() -> None:
    """Sharing is no cycle, and counts no more than a copy."""
    shared = [1]
    assert encode([shared, shared, (), ((),)]) == encode([[1], [1], (), ((),)])


@pytest.mark.parametrize("depth", [151, 5_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    """What is too deep ends in an error that says so, never in a RecursionError."""
    value: object = 1
    for _ in range(depth):
        value = [value]
    with pytest.raises(UnencodableError, match="nested deeper than 150"):
        encode(value)


def test_a_short_stack_is_an_unencodable_value() -> None:
    """Even where the caller has used up the stack, no RecursionError comes out of the encoder."""

    def near_the_end(value: object) -> UnencodableError:
        try:
            return near_the_end(value)
        except RecursionError:
            try:
                encode(value)
            except UnencodableError as error:
                return error
            raise

    value: object = 1
    for _ in range(100):
        value = [value]
    assert "nested too deeply" in str(near_the_end(value))


class Celsius:
    """Registered by a test below."""

    def __init__(self, degrees: float) -> None:
        self.degrees = degrees


class Oven(Celsius):
    """A subclass of what is registered."""


def degrees(value: Celsius) -> float:
    """What stands for a temperature."""
    return value.degrees


def test_a_registered_type_is_encoded_with_its_subclasses() -> None:
    """A stand-in counts under the class of the value; another function for the type is refused, naming both."""
    register(Celsius, degrees)
    register(Celsius, degrees)
    assert encode(Celsius(1.0)) == encode(Celsius(1.0)) != encode(Celsius(2.0))
    assert encode(Oven(1.0)) not in (encode(Celsius(1.0)), encode(1.0), encode(Oven(2.0)))
    with pytest.raises(DuplicateError, match=r"Celsius is claimed by .*\.degrees and builtins\.id"):
        register(Celsius, id)
    with pytest.raises(DuplicateError, match="builtins:int is claimed"):
        register(int, id)


class Model:
    """Says itself what it is."""

    def __init__(self, key: object) -> None:
        self.key = key

    def __rave_key__(self) -> object:
        """What stands for a model."""
        return 1 / 0 if self.key == "broken" else self.key


class Other(Model):
    """The same stand-ins in another class."""


def test_a_class_can_say_what_it_is() -> None:
    """``__rave_key__`` stands for the object, under its class."""
    assert encode(Model([1])) == encode(Model([1])) != encode(Model([2]))
    assert encode(Model(1)) not in (encode(1), encode(Other(1)))


def test_an_error_in_a_stand_in_is_told_with_its_path() -> None:
    """What ``__rave_key__`` raises or can't say is an UnencodableError at its place."""
    with pytest.raises(UnencodableError, match=r"\[0\]: asking a Model .* ZeroDivisionError: division"):
        encode([Model("broken")])
    with pytest.raises(UnencodableError) as caught:
        encode([Model({"a": object()})])
    assert caught.value.path == "[0].__rave_key__()['a']"


def test_an_object_that_stands_for_itself_contains_itself() -> None:
    """A stand-in must be something else than the object."""
    model_of_itself = Model(None)
    model_of_itself.key = model_of_itself
    with pytest.raises(UnencodableError, match="contains itself"):
        encode(model_of_itself)
