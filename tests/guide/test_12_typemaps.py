"""§12: typemaps convert what a caller gives."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import pytest

from rave_core import duration_strategy, expires, list_of, one_of, op, op_file, typemap
from rave_core.errors import DecorationError
from rave_core.typemap import any, iso_date

pytestmark = pytest.mark.usefixtures("runtime")
Ran = Callable[[], list[str]]
DATA = list(range(100, 0, -1))


@op
@expires(duration_strategy("30m"))
def top_n_untyped(n):
    """The listing without a typemap."""
    print("top_n", n)
    return [DATA[x] for x in range(len(DATA)) if x < n]


@op
@expires(duration_strategy("30m"))
@typemap(int)
def top_n(n):
    """The same with one."""
    print("top_n", n)
    return [DATA[x] for x in range(len(DATA)) if x < n]


def my_op(name, num, sdate, edate):
    """The listing with four arguments."""
    print("my_op")
    return (name, num, sdate, edate)


SPELLINGS = [
    typemap(str, int, iso_date, iso_date),
    typemap(name=str, num=int, sdate=iso_date, edate=iso_date),
    typemap(sdate=iso_date, edate=iso_date, num=int, name=str),
    typemap(str, int, sdate=iso_date, edate=iso_date),
]


def test_without_a_typemap_10_and_10_0_are_different_arguments(ran: Ran) -> None:
    """The first limitation: a needless miss. The second: text is not what the function can use."""
    assert top_n_untyped(10) == top_n_untyped(10.0) == DATA[:10]
    assert ran() == ["top_n 10", "top_n 10.0"]
    with pytest.raises(TypeError, match="'<' not supported"):
        top_n_untyped("10")


def test_with_a_typemap_they_are_one(ran: Ran) -> None:
    """Under ``int`` all spellings of ten share one entry, and the function gets an int."""
    assert top_n(10) == top_n("10") == top_n(10.0) == top_n(n="10") == DATA[:10]
    assert ran() == ["top_n 10"]


@pytest.mark.parametrize("decorate", SPELLINGS)
def test_a_typemap_is_written_like_a_call(decorate: Callable[..., object]) -> None:
    """By position, by keyword in any order, or both."""

    def fresh(name, num, sdate, edate):
        return my_op(name, num, sdate, edate)

    made = op(name="guide/my_op")(decorate(fresh))
    day = datetime.date(2007, 4, 27)
    assert made("x", "1", "2007-04-27", edate=day) == ("x", 1, day, day)


def test_it_converts_and_does_not_just_check() -> None:
    """The text ``"1"`` reaches the function as the number 1."""
    assert top_n("1") == [100]


@pytest.mark.parametrize(
    ("kind", "given", "wanted"),
    [
        (str, 5, "5"),
        (float, "2.5", 2.5),
        (list, (1, 2), [1, 2]),
        (dict, [("a", 1)], {"a": 1}),
        (list_of(int), ["1", "2"], [1, 2]),
        (one_of(None, str), None, None),
        (any, "as it is", "as it is"),
        (None, None, None),
    ],
)
def test_what_a_typemap_may_list(kind: object, given: object, wanted: object) -> None:
    """Built-in types, compound types, ``None``, and ``any``."""

    def same(x):
        return x

    assert op(name="guide/same", typemap=(kind,))(same)(given) == wanted


def test_a_function_of_one_value_is_a_type(ran: Ran) -> None:
    """It returns the converted value, or raises ``TypeError``, which the caller gets with the argument's name."""

    def port(value):
        if not 0 < int(value) < 65536:
            raise TypeError("not a port")
        return int(value)

    @op(name="guide/service")
    @typemap(port)
    def service(number):
        print("service")
        return number

    assert service("80") == service(80) == 80
    with pytest.raises(TypeError, match=r"guide/service.*number.*70000"):
        service(70000)
    assert ran() == ["service"]


def test_none_accepts_nothing_else() -> None:
    """The type ``None`` refuses every other value."""

    def nothing(x):
        return x

    with pytest.raises(TypeError, match=r"guide/nothing.*'x'"):
        op(name="guide/nothing", typemap=(None,))(nothing)("something")


def test_the_output_file_is_not_listed() -> None:
    """Listing a type for it too is one type too many."""
    with pytest.raises(DecorationError, match="typemap lists 2 types by position, but only 1 fit"):

        @op_file(name="guide/picture")
        @typemap(str, int)
        def picture(out_file, width):
            """Never made."""
