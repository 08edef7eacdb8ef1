"""Decorators: in any order, as keywords or singly; what can't be an operation is refused at once (R6)."""

from __future__ import annotations

import asyncio
import functools
import inspect
import pickle
import pydoc
import sys
import typing
from collections.abc import Callable
from pathlib import Path

import pytest

from rave_core import Operation, duration_strategy, expires, forever, mime_type, op, op_file, typemap, version
from rave_core.errors import ConfigurationError, DecorationError

Ran = Callable[[], list[str]]
later = duration_strategy(60)


@op
def documented(first: int, *, second: str = "x") -> list[str]:
    """Tells what it is for.

    In more than one line.
    """
    return [second] * first


@op_file
def written(out: str, first: int = 1) -> None:
    """Writes a file."""
    Path(out).write_text("x" * first)


@op
async def awaited(first: int) -> int:
    """A coroutine."""
    return first


def plain(a, b=2):
    """Undecorated."""
    return (a, b)


@op(typemap=(int, int), version="v1", expires=later, mime_type="text/plain")
def by_keywords(a, b=2):
    """Undecorated."""
    return (a, b)


@op
@typemap(int, int)
@version("v1")
@expires(later)
@mime_type("text/plain")
def below(a, b=2):
    """Undecorated."""
    return (a, b)


@typemap(int, int)
@version("v1")
@expires(later)
@mime_type("text/plain")
@op
def above(a, b=2):
    """Undecorated."""
    return (a, b)


@mime_type("text/plain")
@version("v1")
@op(expires=later)
@typemap(int, int)
def around(a, b=2):
    """Undecorated."""
    return (a, b)


@pytest.mark.usefixtures("runtime")
@pytest.mark.parametrize("operation", [by_keywords, below, above, around])
def test_keywords_and_decorators_in_any_order_mean_the_same(operation: Operation[..., object]) -> None:
    """Above or below ``@op``, or in its brackets."""
    spec = operation.spec
    assert (spec.mime_type, spec.expires) == ("text/plain", later)
    entry = operation.resolve("1").entry
    assert operation("1", "2") == (1, 2)
    assert entry is not None
    assert entry.expires_at - entry.created_at == 60
    assert entry.version_note == "explicit v1"


@pytest.mark.usefixtures("runtime")
def test_bare_empty_and_called_are_alike() -> None:
    """``@op``, ``@op()`` and ``op(function)``."""
    made = [op(plain), op()(plain), op(name=None, tags=())(plain)]
    assert len({operation.key(1) for operation in made}) == 1


def test_decorating_leaves_the_function_alone() -> None:
    """Two operations can be made of one function; `Operation.function` is it."""
    first, second = op(name="t/first", tags=["a"])(plain), op(name="t/second")(plain)
    assert first.function is second.function is plain
    assert (first.spec.tags, second.spec.tags) == (("a",), ())
    assert plain(1) == (1, 2)


@pytest.mark.usefixtures("runtime")
def test_noting_on_a_copy_does_not_change_the_original() -> None:
    """A wrapper made by ``functools.wraps`` has notes of its own."""
    noted = mime_type("text/plain")(_copy(plain))

    @functools.wraps(noted)
    def wrapper(*args, **kwargs):
        return noted(*args, **kwargs)

    with pytest.raises(DecorationError, match="two @mime_type"):
        mime_type("text/html")(wrapper)
    wrapped = op(expires(forever)(wrapper))
    assert wrapped.spec.mime_type == "text/plain"
    assert op(name="t/noted")(noted).spec.expires is None
    assert wrapped(1) == (1, 2)


def test_an_operation_looks_like_its_function() -> None:
    """Name, module, docstring, annotations, and the way to the source."""
    assert documented.__name__ == documented.__qualname__ == "documented"
    assert documented.__module__ == __name__
    assert documented.__wrapped__ is documented.function
    assert documented.__annotations__ == documented.function.__annotations__
    assert inspect.getdoc(documented) == "Tells what it is for.\n\nIn more than one line."
    assert "return [second] * first" in inspect.getsource(documented)
    assert repr(documented) == f"<operation {__name__}:documented(first: 'int', *, second: 'str' = 'x') -> 'list[str]'>"


def test_signatures_are_those_that_a_caller_needs() -> None:
    """The output path of a file operation is left out, and it returns a text."""
    assert list(inspect.signature(documented).parameters) == ["first", "second"]
    assert typing.get_type_hints(documented)["return"] == list[str]
    signature = inspect.signature(written)
    assert (list(signature.parameters), signature.return_annotation) == (["first"], str)


@pytest.mark.parametrize("operation", [documented, written, awaited])
def test_help_shows_signature_and_docstring(operation: Operation[..., object]) -> None:
    """As for a function."""
    shown = pydoc.render_doc(operation, renderer=pydoc.plaintext)
    assert operation.__name__ in shown
    assert "(first: 'int'" in shown
    assert inspect.getdoc(operation).splitlines()[0] in shown
    assert "rave_refresh" not in shown.partition("Tells")[0]


def test_help_on_a_module_shows_its_operations() -> None:
    """With their docstrings."""
    assert "Tells what it is for." in pydoc.render_doc(sys.modules[__name__], renderer=pydoc.plaintext)


def test_coroutine_functions_are_known_as_such() -> None:
    """By the check of the standard library, and only they."""
    check = asyncio.iscoroutinefunction if sys.version_info < (3, 12) else inspect.iscoroutinefunction
    assert check(awaited)
    assert not check(documented)


@pytest.mark.usefixtures("runtime")
@pytest.mark.parametrize("operation", [documented, written, awaited, above, by_keywords])
def test_operations_can_be_pickled(operation: Operation[..., object]) -> None:
    """By name, like functions."""
    assert pickle.loads(pickle.dumps(operation)) is operation


REFUSED = {
    "a class": (lambda: op(type("C", (), {})), "decorates a function"),
    "no function": (lambda: op(5), "decorates a function, not 5"),
    "a text": (lambda: op("name"), "decorates a function, not 'name'"),
    "a partial": (lambda: op(functools.partial(plain, 1)), "decorates a function"),
    "no signature": (lambda: op(name="t/d")(dict.update), "has no signature.*wrap it in a def"),
    "twice": (lambda: op(documented), "is an operation already"),
    "both kinds": (lambda: op_file(documented), "is an operation already"),
    "a generator": (lambda: op(_generator), "_generator is a generator function.*return a list"),
    "an async generator": (lambda: op(_async_generator), "is a generator function"),
    "over staticmethod": (lambda: op(staticmethod(plain)), "@op stands above @staticmethod"),
    "over classmethod": (lambda: op_file(classmethod(plain)), "@op_file stands above @classmethod"),
    "a file without parameters": (lambda: op_file(_no_parameters), r"no first parameter.*def _no_parameters\(out_file"),
    "a file with keyword-only output": (lambda: op_file(_keyword_only), "no first parameter"),
    "a file with only star args": (lambda: op_file(_star), "no first parameter"),
    "a parameter like an option": (lambda: op(_rave_parameter), "'rave_refresh' looks like an option"),
    "ignore of no parameter": (lambda: op(ignore=["c"])(plain), "ignore names 'c', which is not a parameter"),
    "time range of no parameter": (lambda: op(time_range=("a", "c"))(plain), "time_range names 'c', which is not a"),
    "time range of one": (lambda: op(time_range=("a",))(plain), "expected the parameters for start and end"),
    "takes of no parameter": (lambda: op(takes={"c": "address"})(plain), "takes names 'c', which is not a parameter"),
    "takes of no role": (lambda: op(takes={"a": "An Address"})(plain), "expected roles of columns by parameter"),
    "a group of no parameter": (lambda: op(groups={"All": ["c"]})(plain), "groups names 'c', which is not a parameter"),
    "a parameter in two groups": (lambda: op(groups={"A": ["a"], "B": ["a"]})(plain), "each once"),
    "a view without a title": (lambda: op(views=[{"mark": "line"}])(plain), "missing required field `title`"),
    "a view of an unknown mark": (lambda: op(views=[{"title": "t", "mark": "pie"}])(plain), "'pie'"),
    "ignore of the output": (lambda: op_file(ignore=["a"])(plain), "ignore names 'a'"),
    "two typemaps": (lambda: typemap(int)(typemap(int)(_copy(plain))), "two @typemap"),
    "two versions": (lambda: version(1)(above), "two @version"),
    "typemap twice over": (lambda: op(typemap=(int,))(typemap(int)(_copy(plain))), "both typemap= and @typemap"),
    "too many types": (lambda: op(typemap=(int, int, int))(plain), "lists 3 types by position, but only 2 fit"),
    "types of the output": (lambda: op_file(typemap=(str, int))(plain), "lists 2 types by position, but only 1 fit"),
    "an unknown name": (lambda: op(typemap={"c": int})(plain), "typemap names 'c'"),
    "the output by name": (lambda: op_file(typemap={"a": int})(plain), "typemap names 'a'"),
    "position and name": (lambda: typemap(int, a=int)(op(_copy(plain))), "'a' both by position and by name"),
    "no type": (lambda: op(typemap=(5,))(plain), "typemap of 'a'"),
    "not a typemap": (lambda: op(typemap=int)(plain), "a tuple of types, or a dict"),
    "a bad MIME type": (lambda: mime_type("png"), "expected a MIME type"),
    "a bad MIME type keyword": (lambda: op(mime_type="image/")(plain), "expected a MIME type"),
    "no MIME type": (lambda: mime_type(plain), "expected a MIME type"),
    "bad tags": (lambda: op(tags=[1])(plain), "expected names"),
    "empty tags": (lambda: op(tags=[""])(plain), "expected names"),
    "a note on nothing": (lambda: expires(later)(5), "@expires decorates a function, not 5"),
    "an argument that is not there": (
        lambda: op(expires=__import__("rave_core").crossover_strategy(1, 2, 3, "etime"))(plain),
        "needs parameter 'etime'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_an_operation_is_refused_when_it_is_decorated(case: str) -> None:
    """With a message that says what is wrong and what would be right."""
    make, message = REFUSED[case]
    with pytest.raises(DecorationError, match=message):
        make()


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"expires": "2x"}, "'2x'|x"),
        ({"expires": object()}, "is not a strategy"),
        ({"stale_if_error": "soon"}, "stale_if_error='soon'"),
        ({"stale_while_revalidate": -1}, "stale_while_revalidate=-1"),
    ],
)
def test_a_bad_time_is_a_configuration_error(keywords: dict[str, object], message: str) -> None:
    """Durations and strategies are read when the operation is made."""
    with pytest.raises(ConfigurationError, match=message):
        op(**keywords)(plain)


def test_an_unknown_keyword_names_the_nearest() -> None:
    """As for an option: nothing is ignored silently."""
    with pytest.raises(DecorationError, match=r"@op takes no keyword 'expire'; did you mean 'expires'\?"):
        op(expire=60)
    with pytest.raises(DecorationError, match="@op_file takes no keyword 'tofile'"):
        op_file(plain, tofile="x")


def _copy(function):
    return type(function)(function.__code__, globals(), function.__name__, function.__defaults__)


def _generator():
    yield 1


async def _async_generator():
    yield 1


def _no_parameters():
    return 1


def _keyword_only(*, out):
    return out


def _star(*out):
    return out


def _rave_parameter(rave_refresh):
    return rave_refresh
