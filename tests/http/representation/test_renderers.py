"""None"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import pytest

from rave_core.errors import UnrenderableError
from rave_http.hookspecs import hookimpl
from rave_http.representation.renderers import Rendering, renderings
from tests.http.representation.forms import AS_TABLE, COLUMNAR, TABLE, UNTOLD, forms_of, hooks_of

AS_VALUE = ["application/json", "text/plain; charset=utf-8"]


def first_of(value: Any, mime_type: str) -> tuple[str, bytes]:
    """The best form of a value, and what it gives."""
    found = renderings(value, mime_type, operation="lab/people", hooks=hooks_of())[0]
    return found.media_type, found.render(value)


@dataclass
class Point:
    x: int


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"\xff", ["application/octet-stream"]),
        ("text", ["text/plain; charset=utf-8", "application/json"]),
        (TABLE, AS_TABLE),
        ([], [*AS_VALUE, *AS_TABLE[1:]]),
        (1, AS_VALUE),
        (None, AS_VALUE),
        ({"a": [1]}, AS_VALUE),
        (Point(1), AS_VALUE),
        ({"a": object()}, ["text/plain; charset=utf-8"]),
        (object(), ["text/plain; charset=utf-8"]),
    ],
)
def test_a_value_takes_the_forms_that_fit_it(value: Any, expected: list[str]) -> None:
    """Where the operation does not say what it makes; what has no form in JSON is text."""
    assert list(forms_of(value)) == expected


def test_tables_of_every_library_take_the_same_forms() -> None:
    """pyarrow, pandas and polars as lists of dicts."""
    import pandas
    import polars
    import pyarrow

    for table in (pyarrow.table({"a": [1]}), pandas.DataFrame({"a": [1]}), polars.DataFrame({"a": [1]})):
        forms = forms_of(table)
        assert list(forms) == AS_TABLE
        assert forms["application/json"].render(table) == b'[{"a":1}]'
        assert forms["text/csv; charset=utf-8"].render(table) == b"a\n1\n"
        assert pyarrow.ipc.open_stream(forms[COLUMNAR[0]].render(table)).read_all().to_pydict() == {"a": [1]}
        assert b"<td" in forms["text/html; charset=utf-8"].render(table)


@pytest.mark.parametrize(
    ("value", "mime_type", "expected"),
    [
        ("text", "text/plain", ("text/plain; charset=utf-8", b"text")),
        (1.5, "text/plain", ("text/plain; charset=utf-8", b"1.5")),
        (TABLE, "text/plain", ("text/plain; charset=utf-8", b"name,age\nAda,36\nGrace,\n")),
        ("é", "text/plain; charset=latin-1", ("text/plain; charset=utf-8", "é".encode())),
        (b"\xe9", "text/plain; charset=latin-1", ("text/plain; charset=latin-1", b"\xe9")),
        (b"{}", "application/json", ("application/json", b"{}")),
        ({"a": 1}, "application/json", ("application/json", b'{"a":1}')),
        ("text", "application/json", ("application/json", b'"text"')),
        ('{"a": 1}', "application/json", ("application/json", b'{"a": 1}')),
        ("[draft] text", "application/json", ("application/json", b'"[draft] text"')),
        ("[NaN]", "application/geo+json", ("application/geo+json", b'"[NaN]"')),
        ("12", "application/json", ("application/json", b'"12"')),
        ({"a": 1}, "application/geo+json", ("application/geo+json", b'{"a":1}')),
        ("<p>", "text/html", ("text/html; charset=utf-8", b"<p>")),
        ("a,b\n", "text/csv", ("text/csv; charset=utf-8", b"a,b\n")),
        (TABLE, "text/csv; header=present", ("text/csv; header=present; charset=utf-8", b"name,age\nAda,36\nGrace,\n")),
        ([], "text/csv", ("text/csv; charset=utf-8", b"")),
        ("<svg/>", "image/svg+xml", ("image/svg+xml", b"<svg/>")),
        ("<a/>", "application/xml", ("application/xml", b"<a/>")),
        ("text", "text/markdown", ("text/markdown; charset=utf-8", b"text")),
        (1, "image/png", ("application/json", b"1")),
        ({"a": 1}, "text/csv", ("application/json", b'{"a":1}')),
    ],
)
def test_the_type_that_the_operation_names_comes_first(value: Any, mime_type: str, expected: tuple[str, bytes]) -> None:
    """If the value can become it: bytes as they are, texts in UTF-8, and what can't becomes what fits it."""
    assert first_of(value, mime_type) == expected


def test_a_table_becomes_the_kind_of_arrow_that_is_named() -> None:
    """The file format where the operation names that, the stream format everywhere else."""
    import pyarrow

    media_type, content = first_of(TABLE, "application/vnd.apache.arrow.file")
    assert media_type == "application/vnd.apache.arrow.file"
    assert pyarrow.ipc.open_file(content).read_all().num_rows == 2
    assert first_of(TABLE, "application/vnd.apache.parquet")[1].startswith(b"PAR1")


def test_the_other_forms_are_still_there_behind_the_named_one() -> None:
    """Each once."""
    assert list(forms_of(TABLE, "text/csv")) == [AS_TABLE[1], AS_TABLE[0], *AS_TABLE[2:]]
    assert list(forms_of("<p>", "text/html")) == ["text/html; charset=utf-8", *reversed(AS_VALUE)]
    assert list(forms_of(b"", "text/html")) == ["text/html"]


def test_a_value_that_is_said_to_be_json_but_is_not_fails_when_rendered() -> None:
    """The client is not given something else in its place."""
    value = {"a": object()}
    form = forms_of(value, "application/json")["application/json"]
    with pytest.raises(UnrenderableError, match="it holds a object"):
        form.render(value)


def test_texts_are_exact() -> None:
    """No newline is added."""
    forms = forms_of("a\nb")
    assert [each.render("a\nb") for each in forms.values()] == [b"a\nb", b'"a\\nb"']
    assert forms_of(True)["text/plain; charset=utf-8"].render(True) == b"true"


class Shouting:
    """Offers a form of its own for texts, and JSON in its own way."""

    @hookimpl
    def rave_http_render(self, value: Any) -> list[Rendering] | None:
        """For texts only."""
        if not isinstance(value, str):
            return None
        shout = Rendering("text/x-shout", "shout", lambda text: text.upper().encode())
        return [shout, Rendering("application/json", "json", lambda _: b'"mine"')]


class Failing:
    """Fails whenever it is asked."""

    @hookimpl
    def rave_http_render(self, value: Any, mime_type: str) -> list[Rendering]:
        """Never gives anything."""
        raise RuntimeError("broken")


class Misled:
    """Gives something that is no form."""

    @hookimpl
    def rave_http_render(self) -> list[Any]:
        """A media type alone."""
        return ["text/plain"]


def test_what_a_plugin_offers_comes_first_and_replaces_the_built_in_form() -> None:
    """A plugin that says "not mine" changes nothing."""
    forms = forms_of("text", UNTOLD, Shouting())
    assert list(forms) == ["text/x-shout", "application/json", "text/plain; charset=utf-8"]
    assert [each.render("a") for each in forms.values()] == [b"A", b'"mine"', b"a"]
    assert list(forms_of(1, UNTOLD, Shouting())) == AS_VALUE


def test_a_plugin_that_fails_is_logged_and_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    """The others are heard all the same."""
    with caplog.at_level(logging.WARNING, "rave.http"):
        forms = forms_of("text", UNTOLD, Misled(), Shouting(), Failing())
    assert next(iter(forms)) == "text/x-shout"
    assert len(caplog.messages) == 2
    assert "failed: RuntimeError: broken" in caplog.messages[0]
    assert "failed: TypeError: it gave 'text/plain', which is not a Rendering" in caplog.messages[1]
