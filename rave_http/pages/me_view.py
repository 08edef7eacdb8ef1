"""The page of what a user keeps, and what others share with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rave_http.pages.templating import page
from rave_http.protocol.responses import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCard:
    """A saved or past call.

    Attributes:
        title: of a saved call; empty for a past one.
        operation: ``namespace/operation``.
        arguments: names and texts.
        url, form: of its result and of its form; empty if the operation is served no more.
        owner, name: of a saved call.
        shared: with whom, in words.
        age: when it was asked last, in words.
        may_remove: whether the client may remove it.
        trouble: why it can't be read; empty if it can.
    """

    title: str = ""
    operation: str = ""
    arguments: Sequence[tuple[str, str]] = ()
    url: str = ""
    form: str = ""
    owner: str = ""
    name: str = ""
    shared: str = ""
    age: str = ""
    may_remove: bool = False
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardCard:
    """A dashboard.

    Attributes:
        title, owner, name: of it.
        url: of its page.
        shared: with whom, in words.
        age: when it was saved last, in words.
        may_change: whether the client may change it.
        trouble: why it can't be read; empty if it can.
    """

    title: str
    owner: str
    name: str
    url: str
    shared: str
    age: str
    may_change: bool
    trouble: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveForm:
    """The form that saves something, with what was typed.

    Attributes:
        title, shared, call: the fields.
        error: why it was not saved; empty for nothing.
    """

    title: str = ""
    shared: str = ""
    call: str = ""
    error: str = ""


def me_page(
    user: str,
    *,
    base: str,
    boards: Sequence[BoardCard],
    calls: Sequence[CallCard],
    past: Sequence[CallCard],
    said: str = "",
    adding: str = "",
) -> Page:
    """What a user keeps.

    Args:
        user: their name; empty for nobody.
        base: the prefix of every link.
        boards: dashboards, their own first.
        calls: saved calls, likewise.
        past: what they asked, the last first.
        said: what has just been done.
        adding: the call that they want to add to a dashboard; empty for none.
    """
    return page("me.html", base=base, user=user, boards=boards, calls=calls, past=past, said=said, adding=adding)


def save_page(form: SaveForm, *, base: str, user: str) -> Page:
    """The page that asks once more for a call that was not saved, with all that was typed."""
    return page("save_call.html", base=base, form=form, user=user)


def shared_in_words(shared: Sequence[str]) -> str:
    """With whom a document is shared, in words; empty for nobody."""
    words = {"everyone": "everyone"}
    told = [words.get(each) or each.replace("namespace:", "all who see ").removeprefix("user:") for each in shared]
    return ", ".join(told)
