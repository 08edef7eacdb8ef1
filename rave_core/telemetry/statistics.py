"""Statistics in ``logging.statistics["RAVE"]``: plain dicts that any program may read, next to those of others.

The form is the one proposed for ``logging.statistics``: namespaces by name; in a namespace scalars, functions of
their scope, and collections of records. Call ``extrapolate`` before you report; it calls the functions.

Counting takes no lock. ``record["Hits"] += 1`` on a plain dict is not interrupted by another thread in CPython
3.11 to 3.13, but no language rule says so, and a build without the GIL may lose a count. Numbers here inform
people; no decision depends on them.
"""

from __future__ import annotations

import logging
import math
import traceback
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

from rave_core.clock import Clock, SystemClock
from rave_core.errors import UnknownNameError, nearest

NAMESPACE = "RAVE"
_ANSWERED = ("Hits", "Misses", "Refreshed", "Stale", "Uncached")
_SUMMED = (*_ANSWERED, "Errors", "Seconds Computing", "Seconds Saved")
_COUNTERS = ("Damaged Entries", "Backend Failures", "Lease Takeovers", "Late Results", "Stored Bytes")
_ERROR_LENGTH = 200
SLOW = "Slow Operations"
MOST_SLOW = 100


Record: TypeAlias = dict[str, Any]
Caller: TypeAlias = Callable[[Callable[[Any], Any], Mapping[Any, Any]], Any]
"""Calls a function with the scope that holds it."""

"""The counters of one operation, and callables that give figures from them."""


class Statistics:
    """Owns one namespace of statistics. Safe for many threads, within the limits described above.

    Attributes:
        namespace: The plain dict that is counted in. A caller in a hurry checks ``namespace["Enabled"]`` and
            increments what ``record`` gave it once, without a call.
        slow: The seconds from which on a run is listed as slow; infinite for never.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.namespace = _new_namespace(clock or SystemClock())
        self._operations: dict[str, Record] = self.namespace["Operations"]
        self.slow = math.inf

    @classmethod
    def install(cls, clock: Clock | None = None) -> Statistics:
        """Statistics that count in ``logging.statistics["RAVE"]``, which is made if absent.

        Existing statistics continue, so all installations share one namespace.
        """
        statistics = cls(clock)
        shared = repository().setdefault(NAMESPACE, statistics.namespace)
        for name, value in statistics.namespace.items():
            shared.setdefault(name, value)
        statistics.namespace, statistics._operations = shared, shared["Operations"]
        return statistics

    def record(self, operation: str) -> Record:
        """The record of ``operation``, made at the first call; always the same dict."""
        found = self._operations.get(operation)
        return self._operations.setdefault(operation, _new_record()) if found is None else found

    def kept(self, record: Record, how: str, size: int) -> None:
        """Counts a kept result of ``size`` bytes, as a miss or a refresh of the operation with ``record``."""
        if self.namespace["Enabled"]:
            record[how] += 1
            self.count("Stored Bytes", size)

    def ran_slowly(self, operation: str, key: str | None, seconds: float, *, ended_at: float) -> None:
        """Lists a slow run of a body; does nothing while paused.

        Args:
            operation: its full name.
            key: of the call; ``None`` if it has none.
            seconds: that it took.
            ended_at: Unix seconds.
        """
        if self.namespace["Enabled"]:
            self.list_slow([{"Operation": operation, "Seconds": seconds, "End Time": ended_at, "Key": key}])

    def list_slow(self, runs: list[Record]) -> None:
        """Adds runs to the list of slow ones, which holds the latest."""
        listed: list[Record] = self.namespace[SLOW]
        listed += runs
        del listed[:-MOST_SLOW]

    def count(self, name: str, by: float = 1) -> None:
        """Adds ``by`` to the counter ``name``, new ones start at 0; does nothing while paused."""
        if not self.namespace["Enabled"]:
            return
        self.namespace.setdefault(name, 0)
        self.namespace[name] += by


def repository() -> dict[str, Any]:
    """The dict ``logging.statistics``, made if absent."""
    # The types of logging don't know it: the first program that needs it makes it.
    return cast("dict[str, Any]", vars(logging).setdefault("statistics", {}))


def pause(name: str) -> None:
    """Stops collection, not reporting, in the namespace ``name`` of ``logging.statistics``.

    Raises:
        UnknownNameError: there is no such namespace, or it can't be paused.
    """
    _switch(name, is_enabled=False)


def resume(name: str) -> None:
    """Starts collection again in the namespace ``name`` of ``logging.statistics``.

    Raises:
        UnknownNameError: there is no such namespace, or it can't be paused.
    """
    _switch(name, is_enabled=True)


def extrapolate(scope: Mapping[Any, Any], call: Caller | None = None) -> dict[str, Any]:
    """A deep copy of ``scope`` with every function called, fit for JSON.

    A function gets the scope that holds it, uncopied. One that fails spoils its own cell only, which reads
    ``error: …``. Keys become texts, and so do values that JSON has no form for, infinite numbers among them.

    Args:
        scope: the dict to copy; others may change it during the copy.
        call: calls the functions of others; without it they are called here, for as long as they take.
    """
    return {str(name): _cell(value, scope, call) for name, value in list(scope.items())}


def _cell(value: Any, scope: Mapping[Any, Any], call: Caller | None) -> Any:
    try:
        if not callable(value):
            return _plain(value, scope, call)
        is_own = call is None or getattr(value, "__module__", None) == __name__
        return _plain(value(scope) if is_own else call(value, scope), scope, call)  # type: ignore[misc]  # seen
    except Exception as error:  # noqa: BLE001  # others write here too: one bad cell must not hide the rest
        text = "".join(traceback.format_exception_only(error)).strip()
        return f"error: {text}"[:_ERROR_LENGTH]


def _plain(value: Any, scope: Mapping[Any, Any], call: Caller | None) -> Any:
    if isinstance(value, Mapping):
        return extrapolate(value, call)
    if isinstance(value, (list, tuple)):
        return [_cell(inner, scope, call) for inner in list(value)]
    is_json = (
        value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and math.isfinite(value))
    )
    return value if is_json else str(value)


def _switch(name: str, *, is_enabled: bool) -> None:
    spaces = list(repository().items())
    pausable = {key: space for key, space in spaces if isinstance(space, dict) and "Enabled" in space}
    if name not in pausable:
        raise UnknownNameError(f"no statistics {name!r} that can be paused: {nearest(name, pausable)}")
    pausable[name]["Enabled"] = is_enabled


def _new_namespace(clock: Clock) -> dict[str, Any]:
    return {
        "Enabled": True,
        "Start Time": clock.now(),
        "Uptime": lambda scope: clock.now() - scope["Start Time"],
        **{name: _total_of(name) for name in _SUMMED},
        "Hit Ratio": lambda scope: _hit_ratio({name: _total_of(name)(scope) for name in _ANSWERED}),
        **dict.fromkeys(_COUNTERS, 0),
        "Operations": {},
        SLOW: [],
    }


def _new_record() -> Record:
    return {
        **dict.fromkeys((*_ANSWERED, "Errors"), 0),
        "Seconds Computing": 0.0,
        "Seconds Saved": 0.0,
        "Hit Ratio": _hit_ratio,
    }


def _total_of(name: str) -> Callable[[Record], float]:
    # list() first: another thread may add an operation during the loop.
    return lambda scope: sum(record[name] for record in list(scope["Operations"].values()))


def _hit_ratio(record: Record) -> float | None:
    """The share of answered calls that did not wait for a computation; ``None`` before the first call."""
    answered = sum(record[name] for name in _ANSWERED)
    return (record["Hits"] + record["Stale"]) / answered if answered else None
