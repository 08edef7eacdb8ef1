"""Trouble that does not cost an answer: counted, logged, and warned about once per cause."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from rave_core.errors import EntryError, RaveError, RaveWarning, describe_error
from rave_core.events import Events
from rave_core.model import Entry, Key, OperationSpec, Status
from rave_core.telemetry.statistics import Record, Statistics

STORED = "entry.stored"

_log = logging.getLogger("rave")
_log.addHandler(logging.NullHandler())


class Diagnostics:
    """Reports trouble to people, statistics and observers. Safe for many threads."""

    def __init__(self, statistics: Statistics, hooks: Any, events: Events) -> None:
        self.statistics = statistics
        self._events = events
        self._hooks = hooks
        self._stored_is_observed = bool(hooks.rave_entry_stored.get_hookimpls())
        self._warned: set[tuple[str, str]] = set()

    def backend_failed(self, backend: str, action: str, error: Exception) -> None:
        """A backend could not do ``action`` (as in "read an entry"); the call was answered without it."""
        self.statistics.count("Backend Failures")
        reason = describe_error(error)
        # One trouble of a store, such as a full disk, shows in every action on it.
        cause = str(getattr(error, "errno", None) or type(error).__name__)
        self._warn((backend, cause), f"cache {backend} could not {action}: {reason}; the call is answered without it")
        self.observe("rave_backend_failed", backend=backend, action=action, error=error)

    def damaged(self, backend: str, key: str, error: EntryError) -> None:
        """An entry could not be used and counts as absent."""
        self.statistics.count("Damaged Entries")
        reason = str(error).removeprefix(f"{key}: ")
        self._warn(
            (key, type(error).__name__), f"entry {key} of {backend} is not used, and will be made anew: {reason}"
        )

    def later(self, backend: str, key: str, error: EntryError) -> None:
        """An entry of a later version of RAVE counts as absent. It is no damage: the log says so once for the store."""
        cause = (backend, type(error).__name__)
        level = logging.DEBUG if cause in self._warned else logging.INFO
        self._warned.add(cause)
        _log.log(level, "entry %s of %s is not read, and made anew: %s", key, backend, error)

    def uncached(self, spec: OperationSpec, operation: str, error: Exception) -> None:
        """A call of ``operation`` was answered but is not kept: an argument or its value does not allow it."""
        reason = str(error) if isinstance(error, RaveError) else describe_error(error)
        self._warn((operation, reason), f"{operation} runs uncached: {reason}", spec)

    def taken_over(self, key: str) -> None:
        """The lease of a process that is gone was taken over."""
        self.statistics.count("Lease Takeovers")
        _log.info("%s: taken over from a process that is gone", key)

    def outrun(self, key: str) -> None:
        """A result was dropped: its process lost the lease, and a result of a later start is kept already."""
        self.statistics.count("Late Results")
        _log.warning("%s: a result is not kept, because a later one is already", key)

    def stored(self, record: Record, status: Status, key: Key, entry: Entry) -> None:
        """A result was computed, a miss or a refresh by ``status``, and its entry put into a cache."""
        self.statistics.kept(record, "Refreshed" if status is Status.REFRESHED else "Misses", sum(entry.sizes))
        if self._events.is_heard(STORED):
            size = sum(entry.sizes)
            data = {"key": key.text, "operation": key.operation, "bytes": size, "seconds": entry.seconds}
            self._events.publish(STORED, {**data, "status": status.value})
        if self._stored_is_observed:
            self.observe("rave_entry_stored", key=key, entry=entry)

    def observe(self, hook: str, **facts: Any) -> None:
        """Calls an observer hook; what it raises is logged and goes no further."""
        caller = getattr(self._hooks, hook)
        if not caller.get_hookimpls():
            return
        try:
            caller(**facts)
        except Exception:  # noqa: BLE001  # an observer must never cost a user an answer
            _log.exception("a plugin's %s failed", hook)

    def _warn(self, cause: tuple[str, str], message: str, spec: OperationSpec | None = None) -> None:
        if cause in self._warned:
            _log.debug("%s", message)
            return
        if len(self._warned) < 10_000:
            self._warned.add(cause)
        _log.warning("%s", message)
        path, line = _place(spec)
        try:
            warnings.warn_explicit(message, RaveWarning, path, line)
        except RaveWarning:
            _log.debug("warnings are errors here; this one stays in the log, since the call has its answer")


def _place(spec: OperationSpec | None) -> tuple[str, int]:
    code = getattr(spec and spec.function, "__code__", None)
    return (code.co_filename, code.co_firstlineno) if code else ("rave", 1)
