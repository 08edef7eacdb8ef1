"""Slates: small documents that users keep. Where arguments of operations name them, it counts who asks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

SLATES: Final = "slate:"
"""The start of the names of collections that hold what users keep; the rest is the user."""
_NAME: Final = re.compile(r"[^/\x00-\x1f\x7f]{1,100}")
_asker: ContextVar[str | None] = ContextVar("rave_asker", default=None)


@contextmanager
def asked_by(user: str | None) -> Iterator[None]:
    """Says who asks: in this block, arguments of operations may name slates of that user, as in ``slate:page``.

    It counts for the calls that this thread or task makes, not for those within the bodies of operations: what these
    compute must not depend on who happened to ask first.

    Args:
        user: their name; ``None`` for nobody.
    """
    token = _asker.set(user)
    try:
        yield
    finally:
        _asker.reset(token)


def asker() -> str | None:
    """The user who asks; ``None`` for nobody."""
    return _asker.get()


def is_slate_name(name: str) -> bool:
    """Whether a slate can have a name: 1 to 100 printable characters without ``/``."""
    return _NAME.fullmatch(name) is not None
