"""The pages of slates: their list, and one that changes or removes one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rave_http.pages.templating import page
from rave_http.protocol.responses import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class SlateCard:
    """A slate in the list.

    Attributes:
        name: of it.
        url: of its page.
        age: since it was saved last, in words.
    """

    name: str
    url: str
    age: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SlateForm:
    """The form that changes a slate.

    Attributes:
        name: of the slate.
        url: of its page.
        version: the version that the form replaces; 0 if there never was one.
        content: what it holds, as text, or what was typed.
        is_kept: whether the user keeps something under that name.
        error: why it was not saved; empty for nothing.
        theirs: what was saved meanwhile, as text, empty if it was removed; ``None`` if nothing was.
        needs_sign_in: whether it was not saved because nobody is signed in.
    """

    name: str
    url: str
    version: int
    content: str
    is_kept: bool
    error: str = ""
    theirs: str | None = None
    needs_sign_in: bool = False


def slates_page(slates: Sequence[SlateCard], *, base: str, said: str = "") -> Page:
    """What a user keeps, by name.

    Args:
        slates: in the order in which they are shown.
        base: the prefix of every link.
        said: what has just been done.
    """
    return page("slates.html", base=base, slates=slates, said=said)


def slate_page(form: SlateForm, *, base: str) -> Page:
    """The page of one slate."""
    return page("slate.html", base=base, form=form)
