from __future__ import annotations

import re

import jinja2
import pytest

from rave_http.pages.static_files import static_files, static_path
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
    """Its style is a file of the service, or in the page if it is alone."""
    made, alone = page("base.html"), page("base.html", is_alone=True)
    assert re.findall(rb"<link[^>]*>", alone) == re.findall(rb"<link rel=.icon[^>]*>", made)
    assert re.findall(rb'<link rel="stylesheet" href="([^"]*)">', made) == [static_path("rave.css").encode()]
    assert static_files()["rave.css"] in alone
    assert not re.search(rb"url\(|@import|src=", alone)


def test_each_page_has_a_nonce_of_its_own() -> None:
    """Nobody can guess it, so nothing that got into a page runs."""
    first, second = page("base.html"), page("base.html")
    assert len({first.nonce, second.nonce}) == 2
    assert len(first.nonce) >= 20
