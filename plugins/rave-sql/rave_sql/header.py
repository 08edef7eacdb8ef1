"""The comment at the front of a query, in TOML: its name, its parameters, and how long RAVE keeps it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rave_core.errors import nearest
from rave_core.expiry import parse_duration
from rave_sql.errors import QueryError

MOST_ROWS = 100_000
TIME_LIMIT = 60.0
ARROW = "application/vnd.apache.arrow.stream"
_COMMENT = re.compile(r"\s*/\*(.*?)\*/", re.DOTALL)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TAKEN = ("watermark",)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a query.

    Attributes:
        type: ``int``, ``float``, ``text``, ``bool``, ``decimal``, ``date``, ``datetime``, the name of a converter, or
            ``list of`` one of these.
        is_required: whether it has no default.
        default: the value if the caller gives none; ``None`` is SQL's NULL.
        description: for people.
    """

    type: str
    is_required: bool = True
    default: Any = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """What the comment says.

    Attributes:
        title: one line.
        description: more lines.
        parameters: by name, in order.
        database: its configured name; empty for the namespace's database.
        expires: as `rave_core.expires` takes it; ``None`` for the configured default.
        mime_type: of the product over HTTP.
        max_rows: the limit of rows in the result.
        cut: ``mark`` a truncated result, or ``refuse`` to return it.
        time_limit: seconds that the statement may take.
        watermark: a query whose result changes when the tables do; ``auto`` for what the database itself reports;
            ``none`` for nothing, so that RAVE keeps the result until it expires.
    """

    title: str = ""
    description: str = ""
    parameters: tuple[tuple[str, Parameter], ...] = ()
    database: str = ""
    expires: str | int | None = None
    mime_type: str = ARROW
    max_rows: int = MOST_ROWS
    cut: str = "mark"
    time_limit: float = TIME_LIMIT
    watermark: str = "auto"


_KINDS: dict[str, tuple[type, ...]] = {
    "title": (str,), "description": (str,), "parameters": (dict,), "database": (str,), "expires": (str, int),
    "mime_type": (str,), "max_rows": (int,), "cut": (str,), "time_limit": (str, int, float), "watermark": (str,),
}  # fmt: skip
_PARAMETER_KINDS: dict[str, tuple[type, ...]] = {"type": (str,), "default": (object,), "description": (str,)}


def split(text: str, where: str) -> tuple[Header, str]:
    """The header of a query, and its SQL. A query without a comment takes no parameters.

    Args:
        text: of the file.
        where: its name, for messages.

    Raises:
        QueryError: the comment is not TOML, or says something unknown or wrong.
    """
    found = _COMMENT.match(text)
    if found is None:
        return Header(), text.strip()
    try:
        said = tomllib.loads(found[1])
    except tomllib.TOMLDecodeError as error:
        raise QueryError(f"{where}: the comment at its front is not TOML: {error}") from error
    return _header(said, where), text[found.end() :].strip()


def _header(said: Mapping[str, Any], where: str) -> Header:
    _check(said, _KINDS, where)
    values = dict(said)
    values["parameters"] = tuple(
        (name, _parameter(name, told, where)) for name, told in said.get("parameters", {}).items()
    )
    if values.get("cut", "mark") not in ("mark", "refuse"):
        raise QueryError(f"{where}: cut = {values['cut']!r}: expected 'mark' or 'refuse'")
    if values.get("max_rows", 1) < 1:
        raise QueryError(f"{where}: max_rows = {values['max_rows']}: expected at least 1")
    if "time_limit" in values:
        values["time_limit"] = _seconds(values["time_limit"], where)
    return Header(**values)


def _seconds(value: Any, where: str) -> float:
    try:
        seconds = parse_duration(value)
    except (ValueError, TypeError) as error:
        raise QueryError(f"{where}: time_limit = {value!r}: {error}") from error
    if not 0 < seconds <= 86400:
        raise QueryError(f"{where}: time_limit = {value!r}: expected more than 0 and at most 1d")
    return seconds


def _parameter(name: str, told: Any, where: str) -> Parameter:
    if not _NAME.fullmatch(name) or name in _TAKEN or name.startswith("rave_"):
        raise QueryError(f"{where}: a parameter can't be called {name!r}: use lower-case letters, digits and _")
    if isinstance(told, str):
        return Parameter(told)
    if not isinstance(told, dict):
        raise QueryError(f"{where}: parameter {name} = {told!r}: expected a type, or a table with type and default")
    _check(told, _PARAMETER_KINDS, f"{where}: parameter {name}")
    if "type" not in told:
        raise QueryError(f'{where}: parameter {name} has no type; write type = "int", for example')
    return Parameter(
        told["type"],
        is_required="default" not in told,
        default=_frozen(told.get("default")),
        description=told.get("description", ""),
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check(said: Mapping[str, Any], kinds: Mapping[str, tuple[type, ...]], where: str) -> None:
    for name, value in said.items():
        if name not in kinds:
            raise QueryError(f"{where}: unknown key {name!r}; {nearest(name, kinds)}")
        wrong = isinstance(value, bool) and object not in kinds[name]
        if wrong or not isinstance(value, kinds[name]):
            expected = " or ".join(kind.__name__ for kind in kinds[name])
            raise QueryError(f"{where}: {name} = {value!r}: expected {expected}")
