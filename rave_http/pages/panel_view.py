"""The page of one panel of a dashboard, which shows it in a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rave_core.model import FOREVER, Entry, Status
from rave_core.text.humanize import span
from rave_http.pages.chart import Chart
from rave_http.pages.templating import page
from rave_http.protocol.responses import Page
from rave_http.protocol.times import iso

_LEAST: Final = 5.0
_MOST: Final = 86_400.0
_SOON: Final = 2
"""Seconds after which a panel looks again for what is being made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelFrame:
    """What is the same of a panel, whatever its result is.

    Attributes:
        title: in words.
        question: the URL of its question, which a click on the title opens in the whole window; empty for none.
        refreshes: whether it asks again once its result has expired.
    """

    title: str
    question: str = ""
    refreshes: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelValue:
    """What a panel shows.

    Attributes:
        view: a `rave_http.representation.value_view.ValueView`; ``None`` for a chart.
        chart: a chart.
        links: for each cell of a table by row and column, the URL that it leads to; empty for none.
        page: the URL of the page about the result; empty if nobody keeps it.
        trouble: why the last good result is shown instead of a newer one; empty if it is the newest.
        notes: what else is said of it, as sentences.
        is_pending: whether a part of it is still being made.
    """

    view: Any = None
    chart: Chart | None = None
    links: Mapping[tuple[int, int], str]
    page: str = ""
    trouble: str = ""
    notes: Sequence[str] = ()
    is_pending: bool = False


def panel_page(
    frame: PanelFrame, value: PanelValue, entry: Entry | None, status: Status, *, base: str, now: float
) -> Page:
    """A panel with a result.

    Args:
        frame: the panel.
        value: what it shows.
        entry: the record of the result; ``None`` if nobody keeps it.
        status: how it came about.
        base: the prefix of every link.
        now: Unix seconds.
    """
    facts = {"age": "" if entry is None else f"{span(max(0.0, now - entry.created_at))} ago"}
    facts["made"] = "" if entry is None else iso(entry.created_at)
    is_old = entry is not None and entry.expires_at <= now
    again = _SOON if value.is_pending else _again(frame, entry, now) if not value.trouble else None
    return page(
        "panel.html", base=base, frame=frame, value=value, facts=facts, again=again,
        state="expired" if is_old or status is Status.STALE else "", problem="", progress=None,
    )  # fmt: skip


def waiting_panel(frame: PanelFrame, progress: Mapping[str, Any] | None, *, base: str) -> Page:
    """A panel whose result is being made: it looks again by itself."""
    return page(
        "panel.html", base=base, frame=frame, value=None, facts={"age": "", "made": ""}, again=_SOON,
        state="being made", problem="", progress=progress or {"text": "", "done": 0, "total": None},
    )  # fmt: skip


def failed_panel(frame: PanelFrame, problem: str, *, base: str) -> Page:
    """A panel without a result, and why."""
    return page(
        "panel.html", base=base, frame=frame, value=None, facts={"age": "", "made": ""}, again=None,
        state="", problem=problem, progress=None,
    )  # fmt: skip


def _again(frame: PanelFrame, entry: Entry | None, now: float) -> int | None:
    """Seconds after which the panel asks again: once its own result has expired."""
    if not frame.refreshes or entry is None or entry.expires_at == FOREVER:
        return None
    return round(min(_MOST, max(_LEAST, entry.expires_at - now + 1)))
