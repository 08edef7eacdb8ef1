"""The page that explores an operation in time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from rave_http.description.dashboards import CHARTS
from rave_http.description.time_spans import PREVIOUS
from rave_http.pages.templating import page
from rave_http.protocol.responses import Page

PREFIX: Final = "view."
"""What the names of the parameters of the page begin with, which are no arguments."""

NOTHING: Final = "none"
"""The text of ``view.compare`` for no earlier time."""
COMPARED: Final = (
    (PREVIOUS, "the time before"),
    ("-1d", "a day before"),
    ("-1w", "a week before"),
    (NOTHING, "nothing"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExploreView:
    """What the page shows.

    Attributes:
        url: of the page, without its query.
        controls: time and columns, by name.
        arguments: names and texts of the call, without its time.
        span: the time, in words.
        moves: labels and URLs of other times.
        views: titles and URLs of the charts that the author wants, and whether it is the one that is shown.
        frames: titles and URLs of the parts.
        trouble: why there are none.
    """

    url: str
    controls: Mapping[str, str]
    arguments: Sequence[tuple[str, str]]
    span: str = ""
    moves: Sequence[tuple[str, str]] = ()
    views: Sequence[tuple[str, str, bool]] = ()
    frames: Sequence[tuple[str, str]] = ()
    trouble: str = ""

    @property
    def marks(self) -> Sequence[str]:
        """The ways to draw the result."""
        return (*CHARTS, "table", "auto")

    @property
    def compared(self) -> list[tuple[str, str]]:
        """The earlier times to choose from, and their names; that of the page is among them."""
        known = dict(COMPARED)
        given = self.controls["compare"]
        return [*COMPARED, *([] if given in known else [(given, f"{given} before".removeprefix("-"))])]


def explore_page(name: str, view: ExploreView, *, base: str) -> Page:
    """The page of an operation ``name``; ``base`` is the prefix of every link."""
    return page("explore.html", base=base, name=name, view=view)


def explore_url(base: str, name: str, time_range: Sequence[str] | None, pairs: Iterable[tuple[str, str]]) -> str:
    """The URL of the page that explores a call in time; empty for an operation that takes none.

    Args:
        base: the prefix of every link.
        name: of the operation.
        time_range: its parameters for a span of time; ``None`` for none.
        pairs: the query of the call.
    """
    if time_range is None:
        return ""
    of_time = {time_range[0]: f"{PREFIX}from", time_range[1]: f"{PREFIX}to"}
    found = [(of_time.get(each, each), text) for each, text in pairs]
    return f"{base}/-/ui/explore/{quote(name)}{'?' if found else ''}{urlencode(found)}"
