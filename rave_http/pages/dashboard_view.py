"""The pages of a dashboard: itself, the form that changes it, and what to do where two people saved it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rave_http.description.dashboard_texts import MOST_PANELS, PANEL_FIELDS, DashboardTexts
from rave_http.description.dashboards import Dashboard
from rave_http.pages.markdown import markdown
from rave_http.pages.templating import page
from rave_http.protocol.responses import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardFacts:
    """What is said of a dashboard besides its content.

    Attributes:
        owner, name, version, newest: which version it is, and the number of the newest.
        url: of its page.
        by: who saved this version.
        age: when, in words.
        shared: with whom, in words.
        may_change, may_remove, may_freeze: what the client may do.
    """

    owner: str
    name: str
    version: int
    newest: int
    url: str
    by: str = ""
    age: str = ""
    shared: str = ""
    may_change: bool = False
    may_remove: bool = False
    may_freeze: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardView:
    """What a dashboard shows now.

    Attributes:
        values: texts of the variables.
        times: the texts of start, end and zone; empty if the dashboard has no time.
        span: the same as two moments, in words.
        frames: by the id of a panel, the URL of its frame.
        moves: the URLs of the time before and after; empty for none.
        choices: by the name of a variable, the texts that it is offered, and why there are none if there should be.
        trouble: why the times or variables can't be used.
        frozen: when it was frozen, and by whom, in words; empty if it shows what is.
        as_of: the identifier of what was frozen, if the client may remove that; else empty.
    """

    values: Mapping[str, str]
    times: Mapping[str, str]
    span: str = ""
    frames: Mapping[str, str] = field(default_factory=dict)
    moves: Sequence[tuple[str, str]] = ()
    choices: Mapping[str, tuple[Sequence[str], str]] = field(default_factory=dict)
    trouble: str = ""
    frozen: str = ""
    as_of: str = ""


def dashboard_page(board: Dashboard, facts: BoardFacts, view: BoardView, *, base: str) -> Page:
    """A dashboard. Its panels load by themselves, those in view first."""
    return page(
        "dashboard.html", base=base, board=board, facts=facts, view=view,
        panels=sorted(board.panels, key=lambda panel: (panel.at[1], panel.at[0])),
        titles=_titles(board), texts={panel.id: markdown(panel.text) for panel in board.panels if panel.text},
    )  # fmt: skip


def _titles(board: Dashboard) -> dict[str, str]:
    """The titles of the frames, by the id of their panel, none of them twice."""
    found: dict[str, str] = {}
    for panel in board.panels:
        if panel.call is not None:
            title = panel.title or panel.call.operation
            found[panel.id] = f"{title} ({panel.id})" if title in found.values() else title
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class EditState:
    """Where an edit stands.

    Attributes:
        version: the one on which it is based, 0 for a new dashboard.
        error: why it was not saved; empty for nothing.
        needs_sign_in: whether the reason is that nobody is signed in (any more).
        theirs: what somebody else saved meanwhile: who, and line by line with a mark: ``+`` only in theirs, ``-`` only
            in what was typed, or nothing; empty if nobody did.
        theirs_by: who saved it.
        versions: number, author and age of the versions that are kept, newest first.
        frozen: URL, author and age of what was frozen, newest first.
    """

    version: int
    error: str = ""
    needs_sign_in: bool = False
    theirs: Sequence[tuple[str, str]] = ()
    theirs_by: str = ""
    versions: Sequence[tuple[int, str, str]] = ()
    frozen: Sequence[tuple[str, str, str]] = ()


def edit_page(texts: DashboardTexts, facts: BoardFacts, state: EditState, *, base: str) -> Page:
    """The form that changes a dashboard, with what was typed."""
    blank = dict.fromkeys(PANEL_FIELDS, "")
    panels = [*texts.panels, *([blank] if len(texts.panels) < MOST_PANELS else [])]
    return page("dashboard_edit.html", base=base, fields=texts.fields, panels=panels, facts=facts, state=state)


def unreadable_page(
    title: str, trouble: str, facts: BoardFacts, versions: Sequence[tuple[int, str, str]], *, base: str
) -> Page:
    """A dashboard that this version of RAVE can't read, and the versions that it may."""
    return page("dashboard_unreadable.html", base=base, title=title, trouble=trouble, facts=facts, versions=versions)
