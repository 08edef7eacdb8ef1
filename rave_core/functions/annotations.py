"""What decorators note on a function for the operation that it becomes."""

from __future__ import annotations

from typing import Any, TypeVar

from rave_core.errors import DecorationError

F = TypeVar("F")

_ATTRIBUTE = "__rave_notes__"


def note(function: F, name: str, value: object) -> F:
    """Notes ``value`` under ``name``; the function itself, or what an operation that takes late notes makes of it.

    Raises:
        DecorationError: ``name`` is noted already, or ``function`` is no function.
    """
    amend = getattr(function, "__rave_amend__", None)
    if amend is not None:
        return amend(name, value)  # type: ignore[no-any-return]  # an operation amends to its own type
    if not callable(function) and not isinstance(function, (staticmethod, classmethod)):
        raise DecorationError(f"@{name} decorates a function, not {function!r}; write @{name}(...) above a def")
    notes = notes_of(function)
    if name in notes:
        raise DecorationError(f"{_called(function)} has two @{name}; keep one")
    try:
        # A new dict, since functools.wraps shares the old one with the function inside.
        setattr(function, _ATTRIBUTE, notes | {name: value})
    except AttributeError as error:
        raise DecorationError(f"@{name} can't note anything on {function!r}; wrap it in a def") from error
    return function


def notes_of(function: object) -> dict[str, Any]:
    """A copy of what is noted on ``function``, by name."""
    return dict(getattr(function, _ATTRIBUTE, {}))


def _called(function: object) -> str:
    return getattr(function, "__qualname__", None) or repr(function)
