"""What ``@version`` notes on an operation: a value, the name of a strategy, or a version found elsewhere."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from rave_core.errors import DecorationError


class Explicit(Struct, frozen=True):
    """The note that ``value``, and nothing else, is the version."""

    value: object


class ByStrategy(Struct, frozen=True):
    """The note that a version comes from the strategy called ``name``: ``@op(version=strategy("mtime"))``."""

    name: str


class Pinned(Struct, frozen=True):
    """The version of an operation that came from another process, which knew its source.

    Attributes:
        version: as it stands in keys.
        note: what decided it, as an entry records it.
    """

    version: str
    note: str


class DependsOn(Struct, frozen=True):
    """The note of what counts besides an operation's visible code.

    Attributes:
        things: functions, classes, modules or values.
        names: dotted names of such things.
        files: paths of files whose content counts.
        ignore: names that are not followed.
    """

    things: tuple[Any, ...] = ()
    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    ignore: frozenset[str] = frozenset()


def strategy(name: str) -> ByStrategy:
    """Chooses a version strategy by name: ``source``, ``file``, ``mtime``, or one that a plugin registered."""
    return ByStrategy(name)


def explicit(value: object, encode: Callable[[object], bytes]) -> bytes:
    """The version given by ``@version(value)``: by value if it can be encoded, else by its pickle.

    Raises:
        DecorationError: ``value`` can't even be pickled.
    """
    try:
        return b"explicit:" + encode(value)
    except TypeError:
        pass
    try:
        return b"pickle:" + pickle.dumps(value, protocol=5)
    except Exception as error:
        raise DecorationError(f"@version({value!r}): the value can't be pickled: {error}") from error
