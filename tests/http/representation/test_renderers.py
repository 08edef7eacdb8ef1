from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import pluggy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rave_core.errors import UnrenderableError
from rave_http import hookspecs
from rave_http.hookspecs import hookimpl
from rave_http.protocol.problems import Problem
from rave_http.representation.renderers import Rendering, choose, negotiate_file, renderings
from rave_http.representation.table_page import MOST_ROWS, table_page

UNTOLD = "application/octet-stream"
TABLE = [{"name": "Ada", "age": 36}, {"name": "Grace", "age": None}]
COLUMNAR = ["application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"]
AS_TABLE = ["application/json", "text/csv; charset=utf-8", *COLUMNAR, "text/html; charset=utf-8"]
AS_VALUE = ["application/json", "text/plain; charset=utf-8"]
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"


def hooks_of(*plugins: object) -> Any:
    """The relay of the service's plugins, with these."""
    manager = pluggy.PluginManager("rave_http")
    manager.add_hookspecs(hookspecs)
    for plugin in plugins:
        manager.register(plugin)
    return manager.hook


def forms_of(value: Any, mime_type: str = UNTOLD, *plugins: object) -> dict[str, Rendering]:
    """The forms of a value by media type, in order."""
    found = renderings(value, mime_type, operation="lab/people", hooks=hooks_of(*plugins))
    return {each.media_type: each for each in found}


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
    assert "failed: TypeError: it gave 'text/plain', which is no Rendering" in caplog.messages[1]


def offered() -> tuple[Rendering, ...]:
    """The forms of a table."""
    return renderings(TABLE, UNTOLD, operation="lab/people", hooks=hooks_of())


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        (None, "json"),
        ("", "json"),
        ("*/*", "json"),
        ("*", "json"),
        ("text/csv", "csv"),
        ("Text/CSV; Charset=UTF-8", "csv"),
        ("text/csv;charset=latin-1", "csv"),
        ("text/*", "csv"),
        (BROWSER, "html"),
        ("text/csv;q=0.5, application/json;q=0.4", "csv"),
        ("application/json;q=0, */*", "csv"),
        ("application/*;q=0.2, application/vnd.apache.parquet;q=0.3", "parquet"),
        ("text/*, text/csv;q=0.1", "html"),
        ("image/png, application/json;q=0.1", "json"),
        ("application/json;version=2", "json"),
        ("text/html,,text/csv;q=0.1,", "html"),
    ],
)
def test_the_client_gets_what_it_likes_best(accept: str | None, name: str) -> None:
    """By quality, the more specific range counting; of what it likes equally, what comes first."""
    assert choose(offered(), accept=accept, form=None).name == name


RANGES = ["*/*", "text/*", "application/*", "text/csv", "text/html", "application/json", "image/png"]
QUALITIES = [0, 0.001, 0.3, 0.5, 1]


@given(st.dictionaries(st.sampled_from(RANGES), st.sampled_from(QUALITIES), min_size=1))
def test_the_choice_is_that_of_the_standard(weights: dict[str, float]) -> None:
    """For each form the most specific range counts, zero leaves it out, and the first of the best is taken."""
    accept = ", ".join(f"{each};q={weight}" for each, weight in weights.items())
    likings = []
    for each in offered():
        kind = each.media_type.partition(";")[0]
        fitting = [place for place in (kind, f"{kind.partition('/')[0]}/*", "*/*") if place in weights]
        likings.append(weights[fitting[0]] if fitting else 0)
    if max(likings) == 0:
        with pytest.raises(Problem):
            choose(offered(), accept=accept, form=None)
    else:
        expected = offered()[likings.index(max(likings))]
        assert choose(offered(), accept=accept, form=None).name == expected.name


@pytest.mark.parametrize("accept", ["image/png", "text/csv;q=0", "*/*;q=0", "text/csv;version=1;q=0"])
def test_what_can_not_be_had_is_refused_with_what_can(accept: str) -> None:
    """406 lists the media types."""
    with pytest.raises(Problem) as caught:
        choose(offered(), accept=accept, form=None)
    assert (caught.value.slug, caught.value.status) == ("not-acceptable", 406)
    assert caught.value.extensions == {"available": AS_TABLE}


@pytest.mark.parametrize("accept", ["nonsense", "text/csv;q=much", "text/csv;q=2", "text/csv;q=nan", "text/csv, x"])
def test_an_accept_that_can_not_be_read_is_a_bad_request(accept: str) -> None:
    """It is not taken for an absent one."""
    with pytest.raises(Problem, match="'Accept' can't be understood") as caught:
        choose(offered(), accept=accept, form=None)
    assert caught.value.slug == "bad-request"


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("csv", "csv"),
        (" CSV ", "csv"),
        ("text/csv", "csv"),
        ("text/csv; charset=utf-8", "csv"),
        ("arrow", "arrow"),
        ("application/vnd.apache.parquet", "parquet"),
        ("", "json"),
    ],
)
def test_a_form_that_is_named_wins(form: str, name: str) -> None:
    """By its short name or its media type, whatever is accepted."""
    assert choose(offered(), accept="image/png" if form else None, form=form).name == name


def test_a_form_that_is_not_there_is_refused() -> None:
    """The answer names those that are; no wildcards here."""
    for form in ("yaml", "*/*", "text/*", "text"):
        with pytest.raises(Problem, match="it can be: json, csv, arrow, parquet, html") as caught:
            choose(offered(), accept="text/csv", form=form)
        assert caught.value.slug == "not-acceptable"
        assert caught.value.extensions == {"available": AS_TABLE}


def test_a_plus_sign_that_became_a_blank_is_understood() -> None:
    """Nobody encodes it in the query."""
    svg = Rendering("image/svg+xml", "svg", bytes)
    assert choose([svg], accept=None, form="image/svg xml") is svg


@pytest.mark.parametrize(
    ("accept", "form"),
    [(None, None), ("image/*", None), (BROWSER, None), ("text/plain", "png"), (None, "image/png")],
)
def test_a_file_passes_where_its_type_is_accepted(accept: str | None, form: str | None) -> None:
    """It has the one form that it was made in."""
    negotiate_file("image/png", accept, form)


@pytest.mark.parametrize(("accept", "form"), [("image/svg+xml", None), ("image/png;q=0", None), ("*/*", "csv")])
def test_a_file_is_refused_where_its_type_is_not_accepted(accept: str | None, form: str | None) -> None:
    """With its type as what is available."""
    with pytest.raises(Problem) as caught:
        negotiate_file("image/png", accept, form)
    assert caught.value.slug == "not-acceptable"
    assert caught.value.extensions == {"available": ["image/png"]}


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
