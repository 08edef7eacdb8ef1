"""What each type specifier accepts, refuses and makes of it."""

from __future__ import annotations

import typing
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path
from typing import Annotated, Any, Literal, Optional
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rave_core.converters import any, list_of, one_of
from rave_core.converters.converter import shown
from rave_core.converters.named import BUILTIN
from rave_core.converters.specifiers import converter_of

REFUSED = (TypeError, ValueError)


class Colour(Enum):
    RED = 1
    GREEN = "g"


class Port(int):
    """A class of one argument."""


def same(left: object, right: object) -> bool:
    """Equal, and of the same type."""
    return type(left) is type(right) and left == right


ADDRESS = UUID("12345678123456781234567812345678")

ACCEPTED = [
    (int, 10, 10),
    (int, 10.0, 10),
    (int, "10", 10),
    (int, " -3 ", -3),
    (int, True, 1),
    (int, np.int64(10), 10),
    (int, np.float32(10), 10),
    (int, np.array(7), 7),
    (int, Decimal("4.0"), 4),
    (int, Fraction(8, 2), 4),
    (int, 10**30, 10**30),
    (float, 1, 1.0),
    (float, "1.5", 1.5),
    (float, np.float64(1.5), 1.5),
    (float, Decimal("1.5"), 1.5),
    (float, float("inf"), float("inf")),
    (bool, False, False),
    (bool, 0, False),
    (bool, 1.0, True),
    (bool, "false", False),
    (bool, "No", False),
    (bool, "off", False),
    (bool, "0", False),
    (bool, "TRUE", True),
    (bool, "on", True),
    (bool, np.bool_(True), True),
    (str, 1, "1"),
    (str, None, "None"),
    (str, "ä".encode(), "ä"),
    (str, np.str_("a"), "a"),
    (bytes, "ä", "ä".encode()),
    (bytes, bytearray(b"a"), b"a"),
    (bytes, memoryview(b"a"), b"a"),
    (bytearray, "a", bytearray(b"a")),
    (complex, "1+2j", 1 + 2j),
    (complex, 1, 1 + 0j),
    (None, None, None),
    (list, (1, 2), [1, 2]),
    (list, np.array([1, 2]), [1, 2]),
    (list, range(2), [0, 1]),
    (tuple, [1, 2], (1, 2)),
    (set, [1, 1], {1}),
    (frozenset, [1, 1], frozenset({1})),
    (dict, [("a", 1)], {"a": 1}),
    (date, "2007-04-27", date(2007, 4, 27)),
    (date, "20070427", date(2007, 4, 27)),
    (date, "2007-04-27T00:00", date(2007, 4, 27)),
    (date, datetime(2007, 4, 27), date(2007, 4, 27)),
    (date, pd.Timestamp("2007-04-27"), date(2007, 4, 27)),
    (date, np.datetime64("2007-04-27"), date(2007, 4, 27)),
    (datetime, "2007-04-27T12:00Z", datetime(2007, 4, 27, 12, tzinfo=UTC)),
    (datetime, date(2007, 4, 27), datetime(2007, 4, 27)),
    (datetime, pd.Timestamp("2007-04-27 12:00"), datetime(2007, 4, 27, 12)),
    (datetime, np.datetime64("2007-04-27T12:00:00", "ns"), datetime(2007, 4, 27, 12)),
    (time, "12:30", time(12, 30)),
    (timedelta, "2h30m", timedelta(hours=2.5)),
    (timedelta, 300, timedelta(minutes=5)),
    (timedelta, timedelta(days=-1), timedelta(days=-1)),
    (Decimal, "0.1", Decimal("0.1")),
    (Decimal, 0.1, Decimal("0.1")),
    (Decimal, np.float64(0.1), Decimal("0.1")),
    (Fraction, 0.1, Fraction(1, 10)),
    (Fraction, "1/3", Fraction(1, 3)),
    (Path, "/a/b", Path("/a/b")),
    (Path, b"/a", Path("/a")),
    (UUID, str(ADDRESS), ADDRESS),
    (UUID, ADDRESS, ADDRESS),
    (IPv4Address, "10.0.0.1", IPv4Address("10.0.0.1")),
    (IPv6Address, "::1", IPv6Address("::1")),
    (IPv4Network, "10.0.0.0/8", IPv4Network("10.0.0.0/8")),
    (Colour, 1, Colour.RED),
    (Colour, "1", Colour.RED),
    (Colour, "RED", Colour.RED),
    (Colour, "g", Colour.GREEN),
    (Colour, Colour.RED, Colour.RED),
    (Port, "80", Port(80)),
    (Literal["top", 2], "2", 2),
    (Literal["top", 2], "top", "top"),
    (list_of(int), ("1", 2.0), [1, 2]),
    (list_of(int, str), ["1", 2, 3.0], [1, "2", 3]),
    (list_of(list_of(int)), [["1"], []], [[1], []]),
    (one_of(None, str), None, None),
    (one_of(str, None), None, "None"),
    (one_of(int, str), "x", "x"),
    (list[int], ("1",), [1]),
    (tuple[int, ...], ["1", "2"], (1, 2)),
    (tuple[int, str], ["1", 2], (1, "2")),
    (set[int], ["1", 1], {1}),
    (dict[str, int], {1: "2"}, {"1": 2}),
    (Optional[int], "3", 3),  # noqa: UP045  # the older spelling is what is tested
    (str | None, None, None),
    (str | int, 5, 5),
    (int | str, "5", 5),
    (Annotated[int, "metadata"], "5", 5),
    (typing.List, (1,), [1]),  # noqa: UP006  # the older spelling is what is tested
    (typing.NewType("Count", int), "5", 5),
]


@pytest.mark.parametrize(
    ("spec", "value", "wanted"), ACCEPTED, ids=lambda part: shown(part)[:40].partition(" at 0x")[0]
)
def test_a_value_that_fits_is_converted(spec: object, value: object, wanted: object) -> None:
    """Each specifier makes exactly this value, of exactly this type, of what it accepts."""
    assert same(converter_of(spec).convert(value), wanted)


@pytest.mark.parametrize(
    ("spec", "value", "wanted"), ACCEPTED, ids=lambda part: shown(part)[:40].partition(" at 0x")[0]
)
def test_what_was_converted_converts_to_itself(spec: object, value: object, wanted: object) -> None:
    """Passing a converted argument on to an operation with the same typemap changes nothing."""
    assert same(converter_of(spec).convert(wanted), wanted)


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        *[(int, value) for value in (10.5, "10.5", float("nan"), float("inf"), None, b"1", 1j, "ten", [1])],
        *[(int, value) for value in (np.float64(1.5), Decimal("NaN"), np.array([1]), datetime(2007, 1, 1))],
        *[(float, value) for value in ("x", None, 1j, 10**400, [1.0], b"1")],
        *[(bool, value) for value in ("", "maybe", 2, None, [], float("nan"))],
        (str, b"\xff"),
        *[(bytes, value) for value in (5, None, [1])],
        *[(complex, value) for value in ("x", None)],
        *[(None, value) for value in (0, "", "None", False)],
        *[(kind, value) for kind in (list, tuple, set, frozenset) for value in ("abc", b"abc", {"a": 1}, 5)],
        *[(dict, value) for value in ("ab", ["ab1"], 5)],
        *[(date, value) for value in ("soon", datetime(2007, 4, 27, 12), "2007-04-27T12:00", 5, None)],
        *[(datetime, value) for value in ("soon", 5, None, time(1))],
        *[(time, value) for value in ("25:00", 5, datetime(2007, 1, 1))],
        *[(timedelta, value) for value in ("2x", -1, True, None, 1e300)],
        *[(Decimal, value) for value in ("x", None, [])],
        *[(Fraction, value) for value in ("1/0", "x", None, float("nan"), float("inf"))],
        *[(Path, value) for value in ("", 5, None, "a\0b")],
        *[(UUID, value) for value in ("x", 5, None)],
        *[(IPv4Address, value) for value in (1, "::1", b"\x01\x02\x03\x04", "10.0.0.256")],
        (IPv4Network, "10.0.0.1/8"),
        *[(Colour, value) for value in (3, "BLUE", None, [])],
        *[(Literal["top", 1], value) for value in ("bottom", True, 1.5, None, [])],
        *[(list_of(int), value) for value in ("12", ["x"], None)],
        *[(tuple[int, str], value) for value in ([1], [1, 2, 3], "ab")],
        (dict[str, int], {"a": "x"}),
        (one_of(None, int), "x"),
        (int | None, "x"),
    ],
    ids=lambda part: shown(part)[:40].partition(" at 0x")[0],
)
def test_a_value_that_does_not_fit_is_refused(spec: object, value: object) -> None:
    """What would lose something, or means something else, is a TypeError or ValueError."""
    with pytest.raises(REFUSED):
        converter_of(spec).convert(value)


@pytest.mark.parametrize(
    ("spec", "text", "wanted"),
    [
        (int, "10", 10),
        (bool, "off", False),
        (str, "null", "null"),
        (None, "", None),
        (None, "null", None),
        (None, "None", None),
        (list_of(int), "1, 2,3", [1, 2, 3]),
        (list_of(int), '[1, "2"]', [1, 2]),
        (list_of(int), "", []),
        (list_of(str, int), "a,1,b", ["a", 1, "b"]),
        (list, '[1, "a"]', [1, "a"]),
        (list, "1,a", [1, "a"]),
        (tuple, "[1]", (1,)),
        (set, "[1, 1]", {1}),
        (tuple[int, str], "1,2", (1, "2")),
        (tuple[int, str], "[1, 2]", (1, "2")),
        (dict, '{"a": [1]}', {"a": [1]}),
        (dict[str, int], '{"a": "1"}', {"a": 1}),
        (any, '{"a": 1}', {"a": 1}),
        (any, "1", 1),
        (any, "text", "text"),
        (any, "NaN", "NaN"),
        (one_of(None, str), "null", None),
        (one_of(int, list_of(int)), "1,2", [1, 2]),
        (one_of(int, str), "x", "x"),
        (int | None, "", None),
        (Literal[True, None], "true", True),
        (Literal[True, None], "null", None),
    ],
    ids=lambda part: shown(part)[:40].partition(" at 0x")[0],
)
def test_the_text_of_a_value_is_read(spec: object, text: str, wanted: object) -> None:
    """A command line and a query string give text, which may be JSON or a list with commas."""
    assert same(converter_of(spec).parse_text(text), wanted)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (list, "[1"),
        (list_of(str), "[1"),
        (dict, "[1]"),
        (dict, "a=1"),
        (None, "0"),
        (tuple[int, str], "1"),
        (list_of(int), "1,x"),
        (one_of(None, int), "x"),
        (BUILTIN["json"], "[" * 100_000),
        (list, "[" * 100_000),
    ],
    ids=lambda part: shown(part)[:40].partition(" at 0x")[0],
)
def test_a_text_that_means_nothing_is_refused(spec: object, text: str) -> None:
    """Broken JSON, however deep, and texts of another type are a TypeError or ValueError."""
    with pytest.raises(REFUSED):
        converter_of(spec).parse_text(text)


@given(st.integers())
def test_integers_convert_alike_from_each_form(number: int) -> None:
    """An int, its text, and its float where that is exact, are one argument."""
    forms: list[Any] = [number, str(number), Decimal(number), Fraction(number)]
    if abs(number) < 2**53:
        forms.append(float(number))
    assert all(same(converter_of(int).convert(form), number) for form in forms)  # type: ignore[arg-type]  # what hints would refuse


@given(st.floats(allow_nan=False))
def test_an_integer_never_loses_a_fraction(number: float) -> None:
    """A float becomes the equal int, or is refused."""
    try:
        assert converter_of(int).convert(number) == number
    except TypeError:
        assert not number.is_integer()


@given(st.lists(st.integers()))
def test_a_list_reads_back_from_text(numbers: list[int]) -> None:
    """Commas and JSON mean the same list."""
    found = list_of(int)
    assert found.parse_text(",".join(map(str, numbers))) == found.parse_text(repr(numbers)) == numbers
