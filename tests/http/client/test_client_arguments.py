"""How the client sends arguments: by the query where that keeps them, else by POST."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rave_core import op
from rave_http.client import Client
from rave_http.client.ask import LONGEST_URL, ask_operation, ask_url
from rave_http.description.request_arguments import bind, read_body, read_query


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "query"),
    [
        (5, "a=5"),
        (1.5, "a=1.5"),
        (float("inf"), "a=inf"),
        (True, "a=true"),
        (None, ""),
        ("a b&c/é", "a=a+b%26c%2F%C3%A9"),
        (date(2026, 1, 2), "a=2026-01-02"),
        (Path("/x"), "a=%2Fx"),
        (Colour.RED, "a=red"),
        ([1, 2], "a=1&a=2"),
        (("x,y", "z"), "a=x,y&a=z"),
        ([], "a=%5B%5D"),
        (["x"], "a=%5B%22x%22%5D"),
        ([1, [2]], "a=%5B1,%5B2%5D%5D"),
        ({"x": None}, "a=%7B%22x%22:null%7D"),
        (np.int64(3), "a=3"),
        (np.array([1, 2]), "a=1&a=2"),
    ],
)
def test_arguments_go_as_the_service_reads_them(value: object, query: str) -> None:
    """Numbers and texts bare, lists repeated, what is nested as JSON; nothing for None."""
    asked = ask_operation("http://h/base", "lab/to p", {"a": value}, [])
    assert asked.method == "GET"
    assert asked.url == "http://h/base/lab/to%20p" + (f"?{query}" if query else "")


@pytest.mark.parametrize("value", ["10", "true", "null", '"x"', ["x", "1"], Decimal(10), "x" * LONGEST_URL])
def test_what_a_query_would_not_keep_goes_as_json(value: Any) -> None:
    """Texts that look like JSON would be read as something else; a long URL may be refused on its way."""
    asked = ask_operation("http://h", "lab/top", {"a": value}, [("rave.f", "csv")])
    if isinstance(value, list):
        assert asked.url == "http://h/lab/top?a=%5B%22x%22,%221%22%5D&rave.f=csv"
        return
    assert (asked.method, asked.url) == ("POST", "http://h/lab/top?rave.f=csv")
    assert json.loads(asked.body or b"") == {"a": str(value)}
    assert asked.headers["Content-Type"] == "application/json"


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8) | st.sampled_from(["1", "NaN", "a,b", "[", "+", "true"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(value=_VALUES.filter(lambda value: value is not None))
def test_every_value_arrives_as_it_was_given(value: Any) -> None:
    """At an operation without a typemap, through the service's own reader: nothing is taken for something else."""
    asked = ask_operation("http://h", "lab/echo", {"value": value}, [])
    query = urlsplit(asked.url).query
    if asked.body is None:
        request = read_query("lab/echo", query)
    else:
        request = read_body("lab/echo", query, asked.headers["Content-Type"], asked.body)
    call = bind(request.asked, _echo, _echo.resolved())
    assert _same(call.args[0], value)


@op(name="tests/echo")
def _echo(value: Any) -> Any:
    return value


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other and repr(one) == repr(other)


@pytest.mark.parametrize("value", [b"x", object(), [b"x"], {"k": object()}])
def test_an_argument_without_a_form_is_refused(value: object) -> None:
    """Naming it, before anything is asked."""
    client = Client("http://127.0.0.1:9")
    with pytest.raises(TypeError, match=r"argument a.* has no form that the service could read"):
        client.get("lab/top", a=value)
    with pytest.raises(ValueError, match=r"argument a\[0\]: JSON has no nan"):
        client.get("lab/top", a=[float("nan")])


def test_long_texts_of_a_whole_url_go_as_a_form() -> None:
    """Read like those in a query; what is for the service itself stays in the URL."""
    asked = ask_url("http://h/lab/top?a=1&rave.f=csv#x", [("b", "y" * LONGEST_URL)], [("rave.refresh", "true")])
    assert asked.url == "http://h/lab/top?rave.f=csv&rave.refresh=true"
    assert asked.body == b"a=1&b=" + b"y" * LONGEST_URL
    assert ask_url("http://h/lab/top?a=1#x", [("b", "2")], []).url == "http://h/lab/top?a=1&b=2"
