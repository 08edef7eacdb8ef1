"""The annotations of an operation, each with the check that its decorator and its keyword share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, cast

import msgspec

from rave_core.errors import ConfigurationError, DecorationError
from rave_core.expiry import checked_strategy
from rave_core.functions.page_hints import ROLES, PageView
from rave_core.text.durations import parse_duration
from rave_core.typemap import TypeMap, typemap
from rave_core.versions.annotations import ByStrategy, Explicit

_MIME_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*(\s*;.+)?", re.IGNORECASE)
_ROLE = re.compile(r"[a-z][a-z0-9_-]{0,39}")


def checked_mime_type(value: object) -> str:
    """``value``, a MIME type.

    Raises:
        DecorationError: it is none.
    """
    if not isinstance(value, str) or not _MIME_TYPE.fullmatch(value):
        raise DecorationError(f"@mime_type({value!r}): expected a MIME type, such as 'text/plain' or 'image/png'")
    return value


def checked_version(value: object) -> Explicit | ByStrategy:
    """What decides whether an operation's code changed: a strategy, or any other value by itself."""
    return value if isinstance(value, (ByStrategy, Explicit)) else Explicit(value)


def _checked_name(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise DecorationError(f"name={value!r}: expected a printable text, such as 'project/what_it_does'")
    return value


def _checked_typemap(value: object) -> TypeMap:
    if isinstance(value, TypeMap):
        return value
    if value is typemap.from_annotations:
        raise DecorationError("typemap=typemap.from_annotations: put @typemap.from_annotations below @op instead")
    if isinstance(value, dict):
        return TypeMap((), value)
    if isinstance(value, (tuple, list)):
        return TypeMap(tuple(value))
    raise DecorationError(f"typemap={value!r}: expected a tuple of types, or a dict from parameters to types")


def _checked_behind(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise DecorationError(
            f"behind={value!r}: expected the name of an export of its namespace, such as 'sales/table'"
        )
    return value


def _checked_time_range(value: object) -> tuple[str, ...]:
    names = tuple(value) if isinstance(value, (tuple, list)) else ()
    if len(names) not in (2, 3) or not all(isinstance(name, str) and name for name in names):
        raise DecorationError(
            f"time_range={value!r}: expected the parameters for start and end, and the width of a bin if there is one, "
            "such as ('start', 'end') or ('start', 'end', 'bin')"
        )
    return names


def _checked_takes(value: object) -> Mapping[str, str]:
    found = dict(value) if isinstance(value, Mapping) else {}
    if not found or not all(isinstance(role, str) and _ROLE.fullmatch(role) for role in found.values()):
        raise DecorationError(
            f"takes={value!r}: expected roles of columns by parameter, such as {{'source': 'address'}}; a role is a "
            f"word in small letters, such as {', '.join(ROLES)}"
        )
    return found


def _checked_views(value: object) -> tuple[PageView, ...]:
    try:
        return msgspec.convert(value, tuple[PageView, ...])
    except msgspec.ValidationError as error:
        raise DecorationError(
            f"views={value!r}: {error}; expected charts such as [{{'title': 'Load', 'mark': 'line', 'x': 'ts', 'y': "
            "'load'}}]"
        ) from error


def _checked_groups(value: object) -> Mapping[str, tuple[str, ...]]:
    found = {} if not isinstance(value, Mapping) else {title: _words("groups")(names) for title, names in value.items()}
    every = [name for names in found.values() for name in names]
    if not found or not all(isinstance(title, str) and title for title in found) or len(set(every)) < len(every):
        raise DecorationError(
            f"groups={value!r}: expected parameters by the title of their group, each once, such as "
            "{'Hosts': ['source', 'destination']}"
        )
    return found


def _words(keyword: str) -> Callable[[object], tuple[str, ...]]:
    def check(value: object) -> tuple[str, ...]:
        words = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else (None,)
        if not all(isinstance(word, str) and word for word in words):
            raise DecorationError(f"{keyword}={value!r}: expected names, such as {keyword}=['one', 'two']")
        return words

    return check


def _seconds(keyword: str) -> Callable[[object], float]:
    def check(value: object) -> float:
        try:
            return parse_duration(cast("str | float", value))
        except ValueError as error:
            raise ConfigurationError(f"{keyword}={value!r}: {error}") from error

    return check


KEYWORDS: Final[dict[str, Callable[[object], object]]] = {
    "name": _checked_name,
    "expires": checked_strategy,
    "version": checked_version,
    "typemap": _checked_typemap,
    "mime_type": checked_mime_type,
    "tags": _words("tags"),
    "behind": _checked_behind,
    "time_range": _checked_time_range,
    "takes": _checked_takes,
    "views": _checked_views,
    "groups": _checked_groups,
    "ignore": lambda value: frozenset(_words("ignore")(value)),
    "stale_while_revalidate": _seconds("stale_while_revalidate"),
    "stale_if_error": _seconds("stale_if_error"),
}
"""The keywords of the decorators, each with its check, which gives the value that counts."""
