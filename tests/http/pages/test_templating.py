from __future__ import annotations

import re

import jinja2
import pytest

from rave_http.pages.templating import page


def test_links_start_with_the_base() -> None:
    """At the root, where none is given."""
    assert b'href="/-/openapi.json"' in page("base.html")
    assert b'href="https://host/rave/-/openapi.json"' in page("base.html", base="https://host/rave")


def test_facts_are_escaped() -> None:
    """Whatever they are."""
    assert b'class="brand" href="&#34;&gt;&lt;script&gt;/"' in page("base.html", base='"><script>')


def test_a_page_that_misses_a_fact_fails() -> None:
    """It is not shown half empty."""
    with pytest.raises(jinja2.UndefinedError, match="'operation' is undefined"):
        page("table.html")
    with pytest.raises(jinja2.TemplateNotFound):
        page("../pages.py")


def test_a_page_loads_nothing_from_elsewhere() -> None:
    """Its style is in it."""
    assert not re.search(rb"url\(|@import|src=|<link(?! rel=\"icon\" href=\"data:)", page("base.html"))
