"""The smallest namespace: three operations, and the names under which others can ask for them."""

from __future__ import annotations

from typing import Any

from rave_core import mime_type, op, typemap
from rave_core.converters import FunctionConverter


def to_place(value: Any) -> int:
    """A place in a sequence: a whole number up to 90, whose number fits into 64 bits."""
    wrong = ValueError("expected a whole number up to 90")
    try:
        number = int(value)
    except ValueError:
        raise wrong from None
    if number > 90:
        raise wrong
    return number


place = FunctionConverter("place", to_place, {"type": "integer", "maximum": 90})


@op
@typemap(str)
@mime_type("text/plain")
def hello(name: str) -> str:
    """A greeting for ``name``."""
    return f"Hello, {name}!"


@op
@typemap(str)
@mime_type("text/plain")
def goodbye(name: str) -> str:
    """A farewell to ``name``."""
    return f"Goodbye, {name}!"


@op
@typemap(place)
@mime_type("text/plain")
def fib(n: int) -> int:
    """The Fibonacci number at place ``n``; 0 below the first. Each number is kept, so each is computed once."""
    if n < 2:
        return max(n, 0)
    return fib(n - 2) + fib(n - 1)


__export__ = {"fibonacci": fib, "greeting/hello": hello, "greeting/goodbye": goodbye}
