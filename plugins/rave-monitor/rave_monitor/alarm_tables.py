"""Reading the tables ``[[alarms]]`` of a configuration."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from rave_core.errors import nearest
from rave_core.expiry import parse_duration
from rave_monitor.alarm import Alarm
from rave_monitor.condition import Condition, ConditionError

_KEYS: Final = ("name", "when", "for", "clear", "severity", "notify", "muted_until")


class Wrong(Protocol):
    """Notes a mistake."""

    def __call__(self, message: str, key: str = "") -> None:
        """Notes a mistake in the table, at a key of it."""


def read_alarm(
    table: Mapping[str, Any], name: str, processors: Collection[str], writers: Collection[str], wrong: Wrong
) -> Alarm:
    """The alarm of a table, as far as it can be read; ``wrong`` hears of each mistake."""
    for key in table.keys() - set(_KEYS):
        wrong(f"unknown key {key!r}; {nearest(key, _KEYS)}", key)
    if "when" not in table:
        wrong('an alarm has no condition: add when = "count.rate < 1"')

    def condition(key: str) -> Condition | None:
        return _read(key, table, processors, wrong) if key in table else None

    severity = table.get("severity", "warning")
    if not isinstance(severity, str) or not severity.isprintable():
        wrong(f"severity is {severity!r}: expected a word, such as 'warning'", "severity")
    return Alarm(
        name=name,
        when=condition("when") or Condition("", ()),
        clear=condition("clear"),
        seconds=_or_wrong("for", lambda: parse_duration(table.get("for", 0)), 0.0, wrong),
        severity=str(severity),
        notify=_targets(table.get("notify", []), writers, wrong),
        muted_until=_or_wrong("muted_until", lambda: _moment(table.get("muted_until")), 0.0, wrong),
    )


def _read(key: str, table: Mapping[str, Any], processors: Collection[str], wrong: Wrong) -> Condition | None:
    try:
        found = Condition.read(table[key] if isinstance(table[key], str) else repr(table[key]))
    except ConditionError as error:
        wrong(f"{key}: {error}", key)
        return None
    for name in sorted(found.processors - set(processors)):
        wrong(f"{key}: there is no processor {name!r}; {nearest(name, processors)}", key)
    return found


def _or_wrong(key: str, read: Callable[[], float], default: float, wrong: Wrong) -> float:
    try:
        return read()
    except ValueError as error:
        wrong(f"{key}: {error}", key)
        return default


def _moment(value: object) -> float:
    """Unix seconds of a time, which is UTC without a zone; 0 for none."""
    if value is None:
        return 0.0
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise ValueError(f"it is {value!r}: expected a time, such as 2026-12-01T08:00:00Z")
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


def _targets(value: object, writers: Collection[str], wrong: Wrong) -> tuple[str, ...]:
    """The URLs and writers to notify."""
    targets = value if isinstance(value, list) else [value]
    for each in targets:
        if each in writers:
            continue
        parts = urlsplit(each) if isinstance(each, str) else None
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            wrong(f"notify has {each!r}: expected a list of http:// or https:// URLs and names of writers", "notify")
    return tuple(map(str, targets))
