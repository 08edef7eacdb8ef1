"""Tables as Markdown."""

from __future__ import annotations

from typing import Any

import pandas
import polars
import pyarrow
import pytest
from rave_web.markdown import MOST_ROWS, forms_of, markdown_of

from rave_core.errors import UnrenderableError

ROWS = [{"name": "a", "n": 1}, {"name": "b", "n": None}]


@pytest.mark.parametrize(
    "table",
    [ROWS, pandas.DataFrame(ROWS).astype({"n": "Int64"}), polars.DataFrame(ROWS), pyarrow.Table.from_pylist(ROWS)],
)
def test_a_table_of_any_kind_has_a_line_for_each_row(table: Any) -> None:
    """Numbers stand to the right, and what is missing is left empty."""
    assert markdown_of(table).decode() == "| name | n |\n| --- | ---: |\n| a | 1 |\n| b |  |\n"


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("a|b", r"a\|b"),
        ("*a* _b_ `c` ~d~", r"\*a\* \_b\_ \`c\` \~d\~"),
        ("<b>&lt;", r"\<b\>\&lt;"),
        ("[a](b)", r"\[a\](b)"),
        ("a\\", r"a\\"),
        ("a\r\nb\u2028c", "a b c"),
        (" a ", "a"),
        ("10.1.0.0/16", "10.1.0.0/16"),
        ([1, 2], r"\[1,2\]"),
    ],
)
def test_nothing_in_a_cell_means_anything_to_markdown(cell: object, written: str) -> None:
    """Addresses stay as they are, since they are read."""
    assert markdown_of([{"x": cell}]).decode() == f"| x |\n| --- |\n| {written} |\n"


def test_a_long_table_is_cut_and_says_so() -> None:
    """Nobody pastes more."""
    lines = markdown_of([{"n": n} for n in range(MOST_ROWS + 5)]).decode().splitlines()
    assert lines[-3:] == [f"| {MOST_ROWS - 1} |", "", "… and 5 more rows"]
    assert len(lines) == MOST_ROWS + 4


def test_what_is_no_table_is_refused() -> None:
    """By the error that the service makes a problem of."""
    with pytest.raises(UnrenderableError):
        markdown_of(5)


@pytest.mark.parametrize(
    ("mime_type", "names"),
    [
        ("application/octet-stream", ["json", "md"]),
        ("text/csv; header=present", ["csv", "md"]),
        ("text/markdown", ["md"]),
        ("text/html", None),
    ],
)
def test_nobody_gets_markdown_without_asking(mime_type: str, names: list[str] | None) -> None:
    """What an operation says that it makes stays in front."""
    forms = forms_of(ROWS, mime_type)
    assert (forms and [each.name for each in forms]) == names
    assert forms_of("text", mime_type) is None


def test_the_service_gives_markdown_to_who_asks_for_it(service: Any) -> None:
    """By media type or by short name; without asking a table is what it was."""
    expected = "| name | half |\n| --- | ---: |\n| row\\|0 | 0.0 |\n"
    assert service.get("/lab/rows?n=1&rave.f=md").text == expected
    asked = service.get("/lab/rows?n=1", Accept="text/markdown")
    assert (asked.text, asked.headers["Content-Type"]) == (expected, "text/markdown; charset=utf-8")
    assert service.get("/lab/rows?n=1").headers["Content-Type"] == "application/json"
    assert service.get("/lab/sheet?n=1").text == "n\n0\n"


def test_the_catalog_and_an_operation_are_markdown_for_those_who_ask(service: Any) -> None:
    """By name or by header; others get what they got before, and an unknown form is refused."""
    listed = service.get("/lab?rave.f=md")
    assert listed.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert "- [lab/rows](/-/ops/lab/rows): A table." in listed.text.splitlines()
    assert service.get("/?rave.f=md", Accept="text/html").text == service.get("/", Accept="text/markdown").text
    assert service.get("/-/ops?namespace=lab&rave.f=md").text == listed.text
    described = service.get("/-/ops/lab/sleep", Accept="text/markdown, application/json;q=0.5")
    assert described.text == "# lab/sleep\n\nWaits.\n\n- **seconds**\n"
    assert service.get("/-/ops/lab/sleep", Accept="text/markdown;q=0.5, application/json").json()["name"] == "lab/sleep"
    assert service.get("/", Accept="text/html,application/xhtml+xml,*/*;q=0.8").text.startswith("<!")
    assert service.get("/?rave.f=json", Accept="text/html").json()["operations"]
    unknown = service.get("/-/ops?rave.f=morse")
    assert (unknown.status_code, unknown.json()["type"]) == (406, "/-/problems/not-acceptable")
