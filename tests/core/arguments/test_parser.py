"""From texts and JSON to calls: whichever way an argument comes, its converter is asked once (R13, R16)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from rave_core import Outcome, Runtime, list_of, op, typemap, using
from rave_core.arguments.parser import ArgumentReader
from rave_core.errors import ArgumentError
from rave_core.model import Call

pytestmark = pytest.mark.usefixtures("runtime")
ASKED: list[Any] = []


def doubled(value: Any) -> int:
    """A converter that must not be asked twice: it takes what it gives for something else."""
    ASKED.append(value)
    return int(value) * 2


def metres(value: Any) -> int:
    """A converter that refuses what it gives."""
    if not isinstance(value, str) or not value.endswith("km"):
        raise ValueError("expected a distance in km")
    return int(value.removesuffix("km")) * 1000


@op(name="reading/scaled")
@typemap(doubled, list_of(doubled), metres)
def scaled(n: int, many: Any = (), distance: Any = "1km") -> Any:
    """Converted arguments."""
    return n, many, distance


@op(name="reading/first")
@typemap(doubled, doubled)
def first(n: int, other: int = 5, /) -> Any:
    """By position only."""
    return n, other


@op(name="reading/several")
@typemap(doubled, doubled, more=list_of(doubled))
def several(n: int, *rest: int, **more: Any) -> Any:
    """As many as one likes."""
    return n, rest, more


@op(name="reading/free")
def free(value: Any, other: Any = "1") -> Any:
    """Without a typemap."""
    return value, other


@op(name="reading/partly", ignore=["n"])
@typemap(n=doubled)
def partly(n: int, rest: Any = None) -> Any:
    """One type is listed, and its argument is no part of the key."""
    return n, rest


@pytest.fixture(autouse=True)
def _counted() -> None:
    """Each test counts for itself."""
    ASKED.clear()


def of_texts(operation: Any, named: Mapping[str, Sequence[str]], *places: str) -> Call:
    """The call that texts make."""
    reader = ArgumentReader(operation.spec.name, operation.spec)
    args, kwargs = reader.read_texts(named, places)
    made: Call = operation.resolved().binder.bind_converted(args, kwargs)
    return made


def of_document(operation: Any, document: Mapping[str, Any]) -> Call:
    """The call that a JSON object makes."""
    args, kwargs = ArgumentReader(operation.spec.name, operation.spec).read_document(document)
    made: Call = operation.bind(*args, **kwargs)
    return made


@pytest.mark.parametrize(
    ("operation", "named", "document", "value", "asked"),
    [
        (scaled, {"n": ["3"]}, {"n": 3}, (6, [], 1000), 1),
        (scaled, {"n": ["3"], "distance": ["3km"]}, {"n": 3, "distance": "3km"}, (6, [], 3000), 1),
        (scaled, {"n": ["3"], "many": ["1,2"]}, {"n": 3, "many": [1, 2]}, (6, [2, 4], 1000), 3),
        (scaled, {"n": ["3"], "many": ["[1, 2]"]}, {"n": 3, "many": [1, 2]}, (6, [2, 4], 1000), 3),
        (scaled, {"n": ["3"], "many": ["1", "2"]}, {"n": 3, "many": [1, 2]}, (6, [2, 4], 1000), 3),
        (first, {"n": ["3"]}, {"n": 3}, (6, 10), 2),
        (first, {"n": ["3"], "other": ["4"]}, {"n": 3, "other": 4}, (6, 8), 2),
        (several, {"n": ["3"], "rest": ["4", "5"]}, {"n": 3, "rest": [4, 5]}, (6, (8, 10), {}), 3),
        (several, {"n": ["3"], "x": ["4"]}, {"n": 3, "x": [4]}, (6, (), {"x": [8]}), 2),
        (several, {"n": ["3"], "x": ["4", "5"], "y": ["6"]}, {"n": 3, "x": [4, 5], "y": [6]}, None, 4),
        (partly, {"n": ["3"], "rest": ["[1]"]}, {"n": 3, "rest": [1]}, (6, [1]), 1),
        (free, {"value": ["3"], "other": ["a"]}, {"value": 3, "other": "a"}, (3, "a"), 0),
        (free, {"value": ["3", "x"]}, {"value": [3, "x"]}, ([3, "x"], "1"), 0),
    ],
)
def test_texts_and_json_are_the_same_call_and_are_converted_once(
    operation: Any, named: dict[str, list[str]], document: dict[str, Any], value: Any, asked: int
) -> None:
    """Both have one key and one result, and ask the converter once for each value and default."""
    read = of_texts(operation, named)
    assert len(ASKED) == asked
    ASKED.clear()
    given = of_document(operation, document)
    assert len(ASKED) == asked
    assert (read.key, read.named) == (given.key, given.named)
    assert read.key is not None
    assert value in (None, operation.function(*read.args, **read.kwargs))


def test_places_are_read_like_names() -> None:
    """A text that stands by place is converted once, the items of ``*args`` too."""
    assert of_texts(several, {}, "3", "4", "5").named == {"n": 6, "rest": (8, 10), "more": {}}
    assert ASKED == ["3", "4", "5"]


def test_python_agrees_with_texts_and_asks_once() -> None:
    """The call in Python has the key and the value that texts have."""
    ask: Any = scaled
    outcome: Outcome[Any] = ask.resolve("3", [1])
    assert ASKED == ["3", 1]
    assert outcome.key == of_texts(scaled, {"n": ["3"], "many": ["1"]}).key
    assert outcome.value == (6, [2], 1000)


def test_a_bound_call_is_answered_explained_and_planned_without_converting_it_again() -> None:
    """Whatever takes arguments takes the call in their place."""
    call = of_texts(scaled, {"n": ["3"], "distance": ["2km"]})
    ask: Any = scaled
    assert ask.explain(call).status == "miss"
    assert ask.plan(call).to_run == 1
    assert ask.resolve(call).value == ask(call) == (6, [], 2000)
    assert ask.resolve(call).status == "hit"
    assert ask.explain(call).key == ask.key(call) == ask.bind(call).key == call.key
    assert ask.plan(call).to_run == 0
    assert ask(call, rave_refresh=True) == (6, [], 2000)
    assert ask.invalidate(call)
    assert ASKED == ["3"]


def test_a_bound_call_takes_no_further_arguments() -> None:
    """They would come too late, and are named."""
    ask: Any = several
    with pytest.raises(ArgumentError, match="reading/several: a bound call has all its arguments; 'x' is one too many"):
        ask.bind(several.bind(1), x=[2])


def test_a_call_that_another_runtime_bound_gets_the_key_it_has_here(make_runtime: Any) -> None:
    """Its arguments are what it brings along; name and version are those of where it is asked."""
    call = scaled.bind(3)
    assert call.key is not None
    other: Runtime = make_runtime(version="mtime")
    ask: Any = scaled
    with using(other):
        assert ask.bind(call).key == scaled.key(3) != call.key


def test_a_call_of_another_operation_is_an_argument_like_any_other() -> None:
    """Only a call of its own stands for the arguments of an operation."""
    call = first.bind(1)
    assert free.bind(call).args == (call, "1")


@pytest.mark.parametrize(
    ("operation", "named", "message"),
    [
        (scaled, {"n": ["x"]}, "reading/scaled: argument 'n' is 'x', wanted doubled"),
        (scaled, {"n": ["1", "2"]}, None),
        (scaled, {"n": ["1"], "many": ["1", "x"]}, "reading/scaled: argument 'many' is ['1', 'x'], wanted list_of"),
        (
            several,
            {"n": ["1"], "a": ["1", "x"]},
            "reading/several: argument \"more['a']\" is ['1', 'x'], wanted list_of",
        ),
        (
            scaled,
            {},
            "reading/scaled: missing a required argument: 'n'; its arguments are (n, many=(), distance='1km')",
        ),
        (first, {"other": ["1"]}, "reading/first: "),
    ],
)
def test_what_does_not_fit_is_told_as_a_call_in_python_tells_it(
    operation: Any, named: dict[str, list[str]], message: str | None
) -> None:
    """The operation, the argument, its value and what is wanted."""
    with pytest.raises(ArgumentError) as caught:
        of_texts(operation, named)
    assert str(caught.value).startswith(message or "reading/scaled: argument 'n' is ")
