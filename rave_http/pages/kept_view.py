"""The page of kept results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rave_http.pages.templating import page
from rave_http.protocol.responses import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCard:
    """A kept result.

    Attributes:
        id: its name.
        name: of its operation, ``namespace/operation``.
        url: of its page.
        arguments: by name, in a short form.
        comment, by: why, and who keeps it; empty if that was not said.
        is_yours: whether that is who asks.
        size, made, kept: how big it is, and how long ago it was made and kept, in words.
        left: how long it stays, in words; empty for ever.
        is_gone: whether its bytes were removed.
        may_remove: whether the client may remove it.
    """

    id: str
    name: str
    url: str
    arguments: Mapping[str, str]
    comment: str
    by: str
    is_yours: bool
    size: str
    made: str
    kept: str
    left: str
    is_gone: bool
    may_remove: bool


def kept_page(cards: Sequence[KeptCard], *, base: str) -> Page:
    """The page of kept results, newest first; ``base`` is the prefix of every link."""
    return page("kept.html", base=base, cards=cards)
