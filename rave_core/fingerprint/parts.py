"""How to encode a type whose values consist of other values: by a stand-in, or part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from rave_core.errors import UnencodableError, describe_error
from rave_core.fingerprint.buffers import Write
from rave_core.fingerprint.builtins import PUTS, Put, guarded, piece, subscript

Parts = Iterator[tuple[Any, Any]]
"""Pairs of a step and a value. A text is a step as it stands; a 1-tuple holds a subscript, formatted only on error."""


def encoded_text(value: str) -> bytes:
    """The encoding of a text."""
    return piece(value, set())


def leaf(tag: str, function: Callable[[Any], object]) -> Put:
    """The encoder of a type for which ``function(value)`` stands, under a tag."""
    header = b"k" + encoded_text(tag)

    def put(value: Any, write: Write, inside: set[int]) -> None:
        try:
            plain = function(value)
        except Exception as error:  # noqa: BLE001  # becomes an UnencodableError
            unreadable(value, error)
        write(header)
        PUTS[type(plain)](plain, write, inside)

    return put


def parts(tag: str, function: Callable[[Any], Parts]) -> Put:
    """The encoder of a type whose values have the parts that ``function(value)`` gives, under a tag."""
    header = b"p" + encoded_text(tag)

    def put(value: Any, write: Write, inside: set[int]) -> None:
        write(header)
        put_parts(value, function, write, inside)

    return guarded(put)


def put_parts(value: Any, function: Callable[[Any], Parts], write: Write, inside: set[int]) -> None:
    """Writes each part that ``function(value)`` gives, then a full stop.

    Raises:
        UnencodableError: a part has no encoding, or the value can't give its parts.
    """
    step: Any = ""
    try:
        for step, part in function(value):  # noqa: B007  # the step is for the error
            PUTS[type(part)](part, write, inside)
    except UnencodableError as error:
        raise error.under(subscript(*step) if isinstance(step, tuple) else step) from error.__cause__
    except Exception as error:  # noqa: BLE001  # becomes an UnencodableError
        unreadable(value, error)
    write(b".")


def unreadable(value: Any, error: Exception) -> NoReturn:
    """Raises for a value that failed to give its parts.

    What a library or a plugin raises must not look like a mistake of the operation's caller.
    """
    if isinstance(error, UnencodableError | RecursionError | MemoryError):
        raise error
    what = describe_error(error)
    raise UnencodableError(f"asking a {type(value).__qualname__} for what it holds raised {what}") from error
