"""Tables and figures as pages and pictures."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import pytest

from rave_http.representation.renderers import choose
from rave_http.representation.table_page import MOST_ROWS, table_page
from tests.http.representation.forms import BROWSER, TABLE, forms_of, offered


class Reader(HTMLParser):
    """Collects the cells of a page, and whatever it would load from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[tuple[str, str]] = []
        self.loaded: list[str] = []
        self._open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes a cell, or an address."""
        given = dict(attrs)
        self._open = (given.get("class") or "plain") if tag in ("td", "th") else ""
        if tag in ("td", "th"):
            self.cells.append((self._open, ""))
        if address := given.get("src") or (given.get("href") if tag == "link" else None):
            self.loaded.append(address)

    def handle_data(self, data: str) -> None:
        """Adds to the open cell."""
        if self._open:
            self.cells[-1] = (self._open, self.cells[-1][1] + data)

    def handle_endtag(self, tag: str) -> None:
        """Closes the cell."""
        self._open = ""


def read(page: bytes) -> Reader:
    """What a browser would make of a page."""
    reader = Reader()
    reader.feed(page.decode())
    return reader


def test_a_table_is_a_page_of_its_own() -> None:
    """The operation is its title, numbers stand right, what is missing is empty; nothing is loaded from elsewhere."""
    page = table_page(TABLE, operation="lab/people", base="/rave")
    found = read(page)
    assert found.cells == [
        ("plain", "name"),
        ("number", "age"),
        ("plain", "Ada"),
        ("number", "36"),
        ("plain", "Grace"),
        ("number", ""),
    ]
    assert [address.partition(",")[0] for address in found.loaded] == ["data:image/svg+xml"]
    assert b"<title>lab/people" in page
    assert b'href="/rave/lab"' in page
    assert b"2 rows, 2 columns" in page
    assert not re.search(rb"url\(|@import|<script", page)


def test_nothing_in_a_table_is_markup() -> None:
    """Neither in a cell nor in a name."""
    page = table_page([{"<script>alert(1)</script>": "<img src=x onerror=alert(1)>"}], operation='"><script>')
    assert b"<script" not in page
    assert b"<img" not in page
    assert [text for _, text in read(page).cells] == ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>"]


@pytest.mark.parametrize(("count", "is_cut"), [(MOST_ROWS, False), (MOST_ROWS + 1, True)])
def test_a_long_table_is_cut_and_says_so(count: int, is_cut: bool) -> None:
    """CSV has the rest."""
    import polars

    page = table_page(polars.DataFrame({"n": range(count)}), operation="lab/numbers")
    assert page.count(b"<td") == MOST_ROWS
    assert (b"Only the first 10,000 rows are shown. CSV has all of them" in page) is is_cut
    assert f"{count:,} rows, 1 column<".encode() in page


def test_a_table_without_rows_is_a_page_that_says_so() -> None:
    """With its columns, where it has any."""
    import pandas

    assert b"There are no rows." in table_page([], operation="x")
    page = table_page(pandas.DataFrame({"a": []}), operation="x")
    assert b"There are no rows." in page
    assert read(page).cells == [("plain", "a")]


def figure() -> Any:
    """A figure of matplotlib."""
    from matplotlib.figure import Figure

    made = Figure()
    made.add_subplot().plot([1, 2])
    return made


def test_a_figure_of_matplotlib_becomes_a_picture() -> None:
    """PNG first, or what the operation says; two renderings are the same bytes."""
    forms = forms_of(figure())
    assert list(forms) == ["image/png", "image/svg+xml", "application/pdf"]
    for (media_type, form), start in zip(forms.items(), (b"\x89PNG", b"<?xml", b"%PDF"), strict=True):
        content = form.render(figure())
        assert content.startswith(start), media_type
        assert form.render(figure()) == content, media_type
    assert next(iter(forms_of(figure(), "image/svg+xml"))) == "image/svg+xml"
    assert choose(tuple(forms.values()), accept=BROWSER, form=None).name == "png"


PYPLOT = """
import matplotlib
matplotlib.use("agg")
from matplotlib import pyplot
from rave_http.representation.figures import png_of
for _ in range(3):
    made = pyplot.figure()
    assert png_of(made) == png_of(made)
assert not pyplot.get_fignums(), pyplot.get_fignums()
"""


def test_pyplot_forgets_a_figure_that_was_rendered() -> None:
    """A service that draws for weeks would keep them all."""
    subprocess.run([sys.executable, "-W", "error", "-c", PYPLOT], check=True)


def test_a_figure_of_plotly_becomes_json_or_a_page() -> None:
    """The page has all that it needs; both are the same bytes each time; pictures need kaleido."""
    from plotly import graph_objects

    def made() -> Any:
        return graph_objects.Figure(graph_objects.Scatter(x=[1, 2], y=[3, float("nan")]))

    forms = forms_of(made())
    assert list(forms)[:2] == ["application/json", "text/html; charset=utf-8"]
    document = json.loads(forms["application/json"].render(made()), parse_constant=pytest.fail)
    assert document["data"][0]["type"] == "scatter"
    page = forms["text/html; charset=utf-8"].render(made())
    assert not re.search(rb"<(script|link)[^>]+(src|href)=", page)
    for form in list(forms.values())[:2]:
        assert form.render(made()) == form.render(made())
    assert choose(tuple(forms.values()), accept=BROWSER, form=None).name == "html"


ALONE = """
import sys
from types import SimpleNamespace
from rave_http.representation.renderers import renderings, choose
hooks = SimpleNamespace(rave_http_render=SimpleNamespace(get_hookimpls=list))
for value in ("a", 1, {"a": 1}, [{"a": 1}], b""):
    found = renderings(value, "application/octet-stream", operation="x", hooks=hooks)
    choose(found, accept="*/*", form=None).render(value)
heavy = {"pyarrow", "pandas", "polars", "numpy", "matplotlib", "plotly", "kaleido"} & set(sys.modules)
assert not heavy, heavy
"""


def test_no_library_is_imported_that_the_value_does_not_come_from() -> None:
    """A worker that serves JSON stays small."""
    subprocess.run([sys.executable, "-c", ALONE], check=True)


def test_binary_forms_are_read_back() -> None:
    """By pyarrow, from what was chosen by name."""
    import pyarrow.parquet

    content = choose(offered(), accept=None, form="parquet").render(TABLE)
    assert pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist() == TABLE


def test_a_table_shows_and_sends_its_notes() -> None:
    """On its page and in a header: what is missing from an answer goes with it in every form."""
    import pyarrow

    from rave_core.rendering import notes_of
    from rave_http.representation.representations import Representation
    from rave_http.representation.table_page import table_page

    noted = pyarrow.table({"a": [1]}).replace_schema_metadata({"rave.notes": '["1 line left out <b>"]'})
    assert b"1 line left out &lt;b&gt;" in table_page(noted, operation="lab/people")
    sent = Representation("text/csv", '"e"', 1, body=b"a", notes=notes_of(noted)).headers
    assert dict(sent)["RAVE-Notes"] == '"1 line left out <b>"'
