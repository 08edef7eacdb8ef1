"""Links and forms around the rows of a table: sort, filter, count values, turn pages, download these rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from rave_core.rendering import cell_text

PARAMETERS: Final = ("where", "sort", "facet")
"""The parameters of a page about a table, besides that of the page of rows."""
ADDED: Final = ("column", "operator", "value")
"""The fields of the form that adds a condition, in the order in which they make one."""
_FORMS: Final = ("csv", "ndjson", "arrow", "parquet", "json")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowControls:
    """What can be done with the rows that a page shows.

    Attributes:
        action: the address that forms are sent to.
        hidden: names and texts that every form sends along.
        url: of the first page of these rows.
        heads: for each column the URL that sorts by it, and ``ascending``, ``descending`` or nothing for how it is now.
        chips: for each condition its text, and the URL without it.
        facet: the column whose values are counted; empty for none.
        counts: values of it, how often each occurs, and the URL of the rows that have it.
        matching: how many rows fulfil the conditions.
        total: how many rows there are.
        downloads: names and URLs of forms of these rows.
    """

    action: str
    hidden: Sequence[tuple[str, str]]
    url: str
    heads: Sequence[tuple[str, str]]
    chips: Sequence[tuple[str, str]] = ()
    facet: str = ""
    counts: Sequence[tuple[str, int, str]] = ()
    matching: int
    total: int
    downloads: Sequence[tuple[str, str]] = ()


def row_controls(
    names: Sequence[str],
    texts: Mapping[str, Sequence[str]],
    counts: Sequence[tuple[Any, int]],
    *,
    page: str,
    product: str,
    of: str,
    matching: int,
    total: int,
) -> RowControls:
    """The controls of a page.

    Args:
        names: of the columns.
        texts: those of `PARAMETERS` that the page has.
        counts: values of the facet, and how often each occurs.
        page: the URL of the page about the result.
        product: the URL of the result.
        of: the query of the question that the page carries along; empty for none.
        matching: how many rows fulfil the conditions.
        total: how many rows there are.
    """
    given = [(name, text) for name in PARAMETERS for text in texts.get(name, ()) if text]
    carried = [("of", of)] if of else []
    facet = next((text for name, text in given if name == "facet"), "")
    sort = next((text for name, text in given if name == "sort"), "")

    def url(pairs: Sequence[tuple[str, str]]) -> str:
        query = urlencode([*carried, *pairs])
        return f"{page}?{query}" if query else page

    asked = [each for each in given if each[0] in ("where", "sort")]
    return RowControls(
        action=page,
        hidden=[*carried, *given],
        url=url(given),
        heads=[(url(_sorted_by(given, name, sort)), _order(name, sort)) for name in names],
        chips=[(text, url(_without(given, "where", text))) for name, text in given if name == "where"],
        facet=facet,
        counts=[_count(given, facet, value, count, url) for value, count in counts],
        matching=matching,
        total=total,
        downloads=[(form, f"{product}/rows?{urlencode([*asked, ('rave.f', form)])}") for form in _FORMS],
    )


def _order(name: str, sort: str) -> str:
    return {name: "ascending", f"-{name}": "descending"}.get(sort, "")


def _sorted_by(given: Sequence[tuple[str, str]], name: str, sort: str) -> list[tuple[str, str]]:
    """The largest come first, then the smallest, then the rows as they are."""
    rest = [each for each in given if each[0] != "sort"]
    following = {f"-{name}": name, name: ""}.get(sort, f"-{name}")
    return [*rest, ("sort", following)] if following else rest


def _without(given: Sequence[tuple[str, str]], name: str, text: str) -> list[tuple[str, str]]:
    return [each for each in given if each != (name, text)]


def _count(given: Sequence[tuple[str, str]], facet: str, value: Any, count: int, url: Any) -> tuple[str, int, str]:
    text = cell_text(value)
    return text or "(nothing)", count, url([*_without(given, "facet", facet), ("where", f"{facet}={text}")])
