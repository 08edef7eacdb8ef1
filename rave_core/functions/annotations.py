"""The annotations that decorators put on a function for its operation."""

from __future__ import annotations

from typing import Any, TypeVar

from rave_core.errors import DecorationError

F = TypeVar("F")

_ATTRIBUTE = "__rave_annotations__"


def annotate(function: F, name: str, value: object) -> F:
    """Annotates a function with ``value`` under ``name`` and returns it; for an operation, returns an annotated copy.

    Raises:
        DecorationError: the annotation ``name`` exists already, or ``function`` is no function.
    """
    annotated = getattr(function, "__rave_annotated__", None)
    if annotated is not None:
        return annotated(name, value)  # type: ignore[no-any-return]  # an operation gives one of its own type
    if not callable(function) and not isinstance(function, (staticmethod, classmethod)):
        raise DecorationError(f"@{name} decorates a function, not {function!r}; write @{name}(...) above a def")
    notes = annotations_of(function)
    if name in notes:
        raise DecorationError(f"{_called(function)} has two @{name}; keep one")
    try:
        # A new dict, since functools.wraps shares the old one with the function inside.
        setattr(function, _ATTRIBUTE, notes | {name: value})
    except AttributeError as error:
        raise DecorationError(f"@{name} can't note anything on {function!r}; wrap it in a def") from error
    return function


def annotations_of(function: object) -> dict[str, Any]:
    """A copy of the annotations of ``function``, by name."""
    return dict(getattr(function, _ATTRIBUTE, {}))


def _called(function: object) -> str:
    return getattr(function, "__qualname__", None) or repr(function)
