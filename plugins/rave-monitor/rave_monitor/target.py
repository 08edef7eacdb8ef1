"""A target of notices: a URL or a writer, told by a thread of its own, so that a slow one holds up no other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from typing import Final

from rave_core import Runtime, carry
from rave_monitor.checkpoint import Notice

_log = logging.getLogger("rave.monitor")
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 60.0
_LOOK: Final = 0.2
"""Seconds between looks at what is to be tried again."""
_PATIENCE: Final = 15.0
"""Seconds that one notice may take before that is a trouble."""
_GIVEN_UP: Final = 86400.0
"""Seconds after which a notice that nobody takes is dropped."""


class Target:
    """Delivers notices to one target, again until they are taken. Safe for threads.

    The notices of an alarm stay in order: that it cleared is not told before that it fired.
    """

    def __init__(self, name: str, deliver: Callable[[Notice], str | None], runtime: Runtime) -> None:
        """Starts its thread; ``deliver`` returns why a notice was not taken, ``None`` if it was."""
        self._name, self._deliver, self._clock = name, deliver, runtime.clock
        self._failure: str | None = None
        self._began: float | None = None
        self._waiting: dict[str, Notice] = {}
        self._due: dict[str, tuple[float, float]] = {}
        self._delivered: set[str] = set()
        self._lock, self._wake, self._stop = threading.Lock(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=carry(self._run), name="rave-monitor-notices", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str | None:
        """Why a notice can't be delivered at present; ``None`` while all is well."""
        began = self._began
        if began is not None and self._clock.monotonic() - began > _PATIENCE:
            return f"{self._name} has taken longer than {_PATIENCE:g} s for a notice"
        return self._failure

    def send(self, committed: Iterable[Notice]) -> set[str]:
        """Takes its notices of the latest commit, oldest first; returns the identifiers of those that are done."""
        known = {each.id: each for each in committed}
        with self._lock:
            self._delivered &= known.keys()
            self._waiting = {name: each for name, each in known.items() if name not in self._delivered}
            done = set(self._delivered)
        if self._waiting:
            self._wake.set()
        return done

    def stop(self) -> None:
        """Ends the thread after the notice that it is delivering. Does not wait for that."""
        self._stop.set()
        self._wake.set()

    def join(self, seconds: float) -> set[str]:
        """Waits for the end of the thread, ``seconds`` at most; returns the identifiers of what is done by then."""
        self._thread.join(seconds)
        with self._lock:
            return set(self._delivered)

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                notices = list(self._waiting.values())
                self._due = {each: due for each, due in self._due.items() if each in self._waiting}
            held = set[str]()
            for notice in notices:
                if self._stop.is_set():
                    return
                alarm = str(notice.body.get("alarm"))
                if alarm not in held and not self._try(notice):
                    held.add(alarm)
            self._wake.wait(_LOOK if self._waiting else None)
            self._wake.clear()

    def _try(self, notice: Notice) -> bool:
        """Delivers a notice if it is due; returns whether it is done with."""
        due, pause = self._due.get(notice.id, (0.0, _FIRST_PAUSE / 2))
        now = self._clock.monotonic()
        if now < due:
            return False
        self._began = now
        error = self._deliver(notice)
        self._began = None
        is_too_old = self._clock.now() - notice.time > _GIVEN_UP
        if error is not None and not is_too_old:
            self._complain(notice, error)
            pause = min(pause * 2, _LONGEST_PAUSE)
            self._due[notice.id] = (self._clock.monotonic() + pause, pause)
            return False
        if error is not None:
            _log.error("monitor: %s is dropped: %s", notice.id, error)
        self._failure = None
        with self._lock:
            self._waiting.pop(notice.id, None)
            self._delivered.add(notice.id)
        return True

    def _complain(self, notice: Notice, error: str) -> None:
        if self._failure is None:
            _log.warning("monitor: can't notify of %s: %s; tries again", notice.id, error)
        self._failure = error
