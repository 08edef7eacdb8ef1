"""Typemaps: fitted to parameters, converting the arguments of a call, described as a schema."""

from __future__ import annotations

import functools
import inspect
import itertools
import math
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rave_core.converters import Converter, FileContent
from rave_core.converters.specifiers import converter_of
from rave_core.errors import ArgumentError, DecorationError, UnknownNameError
from rave_core.functions.annotations import annotate, annotations_of
from rave_core.typemap import FittedTypeMap, any, iso_date, list_of, typemap


def fitted(function: Callable[..., object], named: Callable[[str], Converter] | None = None) -> FittedTypeMap:
    """The typemap noted on a function, fitted to its parameters."""
    parameters = tuple(inspect.signature(function).parameters.values())
    found: FittedTypeMap = annotations_of(function)["typemap"].fit(parameters, function.__name__, named=named)
    return found


def top(n: Any, by: Any = "bytes") -> None:
    """An operation to be."""


def my_op(name: Any, num: Any, sdate: Any, edate: Any) -> None:
    """The guide's operation of four arguments."""


GUIDE = [
    typemap(str, int, iso_date, iso_date),
    typemap(name=str, num=int, sdate=iso_date, edate=iso_date),
    typemap(sdate=iso_date, edate=iso_date, num=int, name=str),
    typemap(str, int, sdate=iso_date, edate="iso_date"),
]


def copy_of(function: Any) -> Any:
    """The same function without notes."""
    return type(function)(function.__code__, function.__globals__, function.__name__, function.__defaults__)


@pytest.mark.parametrize("decorator", GUIDE)
def test_the_four_spellings_of_the_guide_mean_the_same(decorator: Callable[[Any], Any]) -> None:
    """Types may be listed by position, by keyword in any order, or both."""
    given = {"name": 1, "num": "2", "sdate": "2007-04-27", "edate": date(2007, 4, 28)}
    wanted = {"name": "1", "num": 2, "sdate": date(2007, 4, 27), "edate": date(2007, 4, 28)}
    assert fitted(decorator(copy_of(my_op))).convert(given, "my_op") == wanted


@given(st.integers(-(2**53), 2**53))
def test_equal_arguments_convert_to_one(number: int) -> None:
    """Under int, 10, "10" and 10.0 are one argument."""
    convert = fitted(typemap(int)(copy_of(top))).convert
    found = [convert({"n": form}, "top")["n"] for form in (number, str(number), float(number))]
    assert [(type(value), value) for value in found] == [(int, number)] * 3


def test_a_typemap_leaves_the_function_as_it_is() -> None:
    """The decorator notes and returns the same function."""
    function = copy_of(top)
    assert typemap(int)(function) is function


@pytest.mark.parametrize(
    ("decorator", "message"),
    [
        (typemap(int, str, str), r"top: typemap lists 3 types by position, but only 2 fit; its parameters: n, by"),
        (typemap(int, bye=str), r"top: typemap names 'bye'; did you mean 'by'\? \(its parameters: n, by\)"),
        (typemap(int, n=int), r"top: typemap lists 'n' both by position and by name"),
        (typemap(n=5), r"top: typemap of 'n': 5 is not a type specifier; accepted: a type, None"),
        (typemap(int, lambda: 1), r"top: typemap of 'by': <lambda> can't be a type"),
    ],
)
def test_a_typemap_that_does_not_fit_is_refused(decorator: Callable[[Any], Any], message: str) -> None:
    """Too many types, an unknown name, one parameter twice and no type are errors before any call."""
    with pytest.raises(DecorationError, match=message):
        fitted(decorator(copy_of(top)))


def test_a_keyword_only_parameter_is_listed_by_name() -> None:
    """A typemap takes what the call would take, so a position can't reach past the star."""

    def keyed(a: Any, *, b: Any) -> None: ...

    with pytest.raises(DecorationError, match="2 types by position, but only 1 fit"):
        fitted(typemap(int, int)(copy_of(keyed)))
    assert fitted(typemap(int, b=int)(keyed)).convert({"a": "1", "b": "2"}, "keyed") == {"a": 1, "b": 2}


def test_variadic_arguments_are_converted_one_by_one() -> None:
    """Under ``*args`` each item, under ``**kwargs`` each value has the type."""

    def many(a: Any, *rest: Any, **others: Any) -> None: ...

    found = fitted(typemap(str, int, others=float)(many))
    given = {"a": 1, "rest": ("1", 2.0), "others": {"x": "1.5", "y": 2}}
    assert found.convert(given, "many") == {"a": "1", "rest": (1, 2), "others": {"x": 1.5, "y": 2.0}}
    with pytest.raises(ArgumentError, match=r"many: argument 'rest\[1\]' is 'x', wanted int") as caught:
        found.convert({"a": 1, "rest": ("1", "x")}, "many")
    assert caught.value.parameter == "rest"
    with pytest.raises(ArgumentError, match=r"""argument "others\['k'\]" is 'x', wanted float"""):
        found.convert({"others": {"j": 1, "k": "x"}}, "many")


def test_a_failed_conversion_names_everything() -> None:
    """The TypeError names operation, argument, value and wanted type, and has the cause."""
    with pytest.raises(ArgumentError) as caught:
        fitted(typemap(int)(copy_of(top))).convert({"n": "ten"}, "flow/top")
    assert str(caught.value).startswith("flow/top: argument 'n' is 'ten', wanted int: ")
    assert (caught.value.operation, caught.value.parameter, caught.value.wanted) == ("flow/top", "n", "int")
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_long_value_is_shown_short() -> None:
    """A message does not repeat a megabyte."""
    with pytest.raises(ArgumentError) as caught:
        fitted(typemap(list_of(int))(copy_of(top))).convert({"n": ["x" * 10**6] * 10}, "top")
    assert len(str(caught.value)) < 700


def test_a_value_that_is_out_of_range_is_named() -> None:
    """An OverflowError is of the value: a date that is too late, or an infinite number of rows."""
    with pytest.raises(ArgumentError, match="argument 'n' is inf") as caught:
        fitted(typemap(int)(copy_of(top))).convert({"n": math.inf}, "top")
    assert caught.value.parameter == "n"


def test_another_error_of_a_converter_passes_untouched() -> None:
    """Only TypeError, ValueError and OverflowError say "I can't"; the rest is a bug to be seen."""
    with pytest.raises(ZeroDivisionError):
        fitted(typemap(lambda value: value / 0)(copy_of(top))).convert({"n": 1}, "top")


def test_what_is_not_listed_takes_anything() -> None:
    """A parameter without a type, and a name that was not fitted, such as self, stay as they are."""
    found = fitted(typemap(int)(copy_of(top)))
    thing = object()
    assert found.convert({"self": thing, "n": "1", "by": thing}, "top") == {"self": thing, "n": 1, "by": thing}
    assert found.converters["by"] is any
    with pytest.raises(TypeError):
        found.converters["n"] = any  # type: ignore[index]  # that it is read-only is what is tested


def test_defaults_are_converted() -> None:
    """What stands as a default is what a caller would have passed."""

    def windowed(start: Any = "2007-04-27", n: Any = 10.0) -> None: ...

    found = fitted(typemap(iso_date, int)(windowed))
    assert found.defaults.omitted(["start", "n"], "windowed") == {"start": date(2007, 4, 27), "n": 10}
    assert type(found.defaults.described("n")) is int
    with pytest.raises(KeyError):
        fitted(typemap(int)(copy_of(top))).defaults.described("n")


def test_a_default_that_does_not_convert_stays() -> None:
    """Said aloud, such a default is the same call as left out."""

    def auto(n: Any = "auto", m: Any = None, label: Any = None) -> None: ...

    found = fitted(typemap(int, int, str)(auto))
    left_out = found.defaults.omitted(["n", "m", "label"], "auto")
    assert left_out == {"n": "auto", "m": None, "label": None}
    said = {"n": "".join(["au", "to"]), "m": None, "label": None}
    assert found.convert(said, "auto") == left_out
    assert found.convert({"n": "1", "m": "2", "label": 3}, "auto") == {"n": 1, "m": 2, "label": "3"}
    with pytest.raises(ArgumentError, match="wanted int or None"):
        found.convert({"m": "x"}, "auto")


def test_a_none_default_can_be_written_as_text() -> None:
    """An empty text and null mean None where nothing else is meant."""

    def auto(m: Any = None, label: Any = None) -> None: ...

    found = fitted(typemap(int, str)(auto))
    assert [found.parse("m", text, "auto") for text in ("", "null", "3")] == [None, None, 3]
    assert found.parse("label", "null", "auto") == "null"
    with pytest.raises(ArgumentError, match="auto: argument 'm' is 'x', wanted int or None"):
        found.parse("m", "x", "auto")


def test_a_default_file_is_read_at_each_call(tmp_path: Path) -> None:
    """A changed file is another argument, also where it is the default."""
    path = tmp_path / "a"
    path.write_text("one")

    def read(source: Any = str(path)) -> None: ...

    found = fitted(typemap("file_content")(read))
    before: FileContent = found.defaults.omitted(["source"], "read")["source"]
    path.write_text("two")
    after: FileContent = found.defaults.described("source")
    assert before.__rave_key__() != after.__rave_key__()
    path.unlink()
    with pytest.raises(ArgumentError, match="can't be read"):
        found.convert({"source": str(path)}, "read")


def test_a_named_converter_waits_for_its_plugin() -> None:
    """Fitting does not look a name up, since plugins may load later; its default converts when asked for."""
    known: dict[str, Converter] = {}

    def located(where: Any = "home") -> None: ...

    found = fitted(typemap("place")(located), named=known.__getitem__)
    known["place"] = converter_of(str.upper)
    assert found.defaults.omitted(["where"], "located") == {"where": "HOME"}
    assert found.convert({"where": "work"}, "located") == {"where": "WORK"}


def test_a_name_that_no_plugin_supplies_is_unknown() -> None:
    """It is no fault of the argument, so no ArgumentError."""
    with pytest.raises(UnknownNameError, match="place"):
        fitted(typemap("place")(copy_of(top))).convert({"n": 1}, "top")


def test_a_schema_tells_what_a_call_takes() -> None:
    """Types, defaults and what is required, for HTTP, forms and --help."""

    def many(a: Any, b: Any = "2007-04-27", *rest: Any, c: Any = None, d: Any = object) -> None: ...

    assert fitted(typemap(int, iso_date, float, c=str)(many)).schema() == {
        "type": "object",
        "properties": {
            "a": {"type": "integer"},
            "b": {"type": "string", "format": "date", "default": "2007-04-27"},
            "rest": {"type": "array", "items": {"type": "number"}},
            "c": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
            "d": {},
        },
        "required": ["a"],
        "additionalProperties": False,
    }


def test_a_schema_of_free_keywords_is_open() -> None:
    """What ``**kwargs`` takes has the schema of its values."""

    def free(**others: Any) -> None: ...

    assert fitted(typemap(others=int)(copy_of(free))).schema()["additionalProperties"] == {"type": "integer"}
    assert fitted(typemap()(free)).schema()["additionalProperties"] is True


def test_hints_make_a_typemap() -> None:
    """Bare or called, from_annotations reads the hints; what has none takes anything."""
    for decorator in (typemap.from_annotations, typemap.from_annotations()):

        def function(n: int, day: date, sizes: list[int] | None = None, free=3) -> Absent:  # type: ignore[no-untyped-def, name-defined]  # noqa: F821  # what is returned need not resolve
            """An operation to be."""

        found = fitted(decorator(function))
        given = {"n": "1", "day": "2007-04-27", "sizes": ("1",), "free": "x"}
        wanted = {"n": 1, "day": date(2007, 4, 27), "sizes": [1], "free": "x"}
        assert found.convert(given, "function") == wanted
        assert found.defaults.omitted(["sizes", "free"], "function") == {"sizes": None, "free": 3}


def test_a_hint_that_cannot_be_read_is_refused() -> None:
    """A name that exists for type checkers alone, or no type at all, is an error that names the parameter."""

    def absent(n: Absent) -> None: ...  # type: ignore[name-defined]  # noqa: F821  # that it is unknown is tested

    with pytest.raises(DecorationError, match=r"absent: the type hint 'Absent' of 'n' can't be read: .*Absent"):
        fitted(typemap.from_annotations(absent))

    def wrong(n: 5) -> None: ...  # type: ignore[valid-type]  # that it is none is tested

    with pytest.raises(DecorationError, match=r"wrong: .*'n'"):
        fitted(typemap.from_annotations(wrong))


def test_hints_are_found_through_a_wrapper() -> None:
    """Hints are read where the function was written, whatever wraps it."""

    @functools.wraps(top)
    def wrapper(*args: Any) -> None: ...

    wrapper.__annotations__ = {}
    assert fitted(typemap.from_annotations(wrapper)).convert({"n": 1}, "top") == {"n": 1}


def test_two_typemaps_are_one_too_many() -> None:
    """Each decorator of the guide stands once."""
    function = typemap(int)(copy_of(top))
    with pytest.raises(DecorationError, match="top has two @typemap; keep one"):
        typemap.from_annotations(function)


def test_notes_of_a_wrapped_function_are_its_own() -> None:
    """functools.wraps copies notes; noting more on the wrapper leaves the wrapped function alone."""
    inner = annotate(copy_of(top), "tags", 1)
    outer = functools.wraps(inner)(lambda *args: None)
    annotate(outer, "version", 2)
    assert annotations_of(inner) == {"tags": 1}
    assert annotations_of(outer) == {"tags": 1, "version": 2}


def test_an_operation_amends_itself() -> None:
    """A decorator above @op gives its note to the operation, whose answer replaces it."""

    class Operation:
        def __rave_annotated__(self, name: str, value: object) -> tuple[str, object]:
            return name, value

    name, value = typemap(int)(Operation())  # type: ignore[misc]  # typed as unchanged, which a real one is
    assert (name, repr(value)) == ("typemap", "typemap(<class 'int'>)")


@pytest.mark.parametrize("thing", [5, "text", len])
def test_what_is_no_function_takes_no_notes(thing: object) -> None:
    """Decorating something else says so."""
    with pytest.raises(DecorationError, match="@typemap"):
        typemap(int)(thing)


def test_a_static_method_takes_notes() -> None:
    """A static method is not callable like a function in a class body, yet can be decorated."""
    method = typemap(int)(staticmethod(copy_of(top)))
    assert "typemap" in annotations_of(method)


def test_the_module_names_what_typemaps_are_made_of() -> None:
    """The specifiers of the guide come from where the decorator does."""
    assert set(sys.modules["rave_core.typemap"].__all__) >= {"typemap", "any", "list_of", "one_of", "iso_date"}


@pytest.mark.parametrize("order", list(itertools.permutations(["a", "b", "c"])))
def test_the_order_of_arguments_is_kept(order: tuple[str, ...]) -> None:
    """Converting does not reorder, so that a key can rely on it."""

    def three(a: Any, b: Any, c: Any) -> None: ...

    assert list(fitted(typemap(int, int, int)(three)).convert(dict.fromkeys(order, "1"), "three")) == list(order)
