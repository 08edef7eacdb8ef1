"""The writers that run: each in a thread of its own, from the sample that it wrote last."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from rave_core import Runtime, carry
from rave_core.errors import describe_error
from rave_monitor.configuration import Part
from rave_monitor.sample_store import SampleStore
from rave_monitor.writer import Writer

_log = logging.getLogger("rave.monitor")
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 60.0


class RunningWriter:
    """A writer at work. It reads what was committed back from the database, so that it can never be ahead of it.

    Attributes:
        part: how it is configured.
        writer: what hands samples on.
        trouble: why it can't at present; ``None`` while all is well.
        position: all samples before this time, in Unix seconds, were handed on.
    """

    def __init__(self, part: Part, store: SampleStore, runtime: Runtime) -> None:
        self.part = part
        self.writer: Writer = part.make()
        self.writer.name = part.name
        self.trouble: str | None = None
        self.position = 0.0
        self._store, self._clock = store, runtime.clock
        self._until, self._processors = 0.0, list[str]()
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, position: float) -> None:
        """Begins at a position, if it is one that takes samples."""
        self.position = position
        if type(self.writer).write is not Writer.write:
            self._thread = threading.Thread(target=carry(self._run), name="rave-monitor-writer", daemon=True)
            self._thread.start()

    def advance(self, until: float, processors: list[str]) -> None:
        """Lets it write the samples of some processors before a time: all of these are committed."""
        if until > self._until:
            self._processors, self._until = processors, until
            self._wake.set()

    def stop(self) -> None:
        """Asks it to end."""
        self._stop.set()
        self._wake.set()

    def close(self, seconds: float) -> None:
        """Ends it, after what it is writing; what takes longer than ``seconds`` is written again by the next one."""
        self.stop()
        if self._thread is not None:
            self._thread.join(seconds)
        with suppress(Exception, SystemExit):
            self.writer.close()

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stop.is_set():
            try:
                is_done = self._write()
            except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's code may raise anything
                self._complain(error)
                self._clock.wait(self._stop, pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            pause, self.trouble = _FIRST_PAUSE, None
            if is_done:
                self._wake.wait()
                self._wake.clear()

    def _write(self) -> bool:
        """Writes the next samples; returns whether these were all."""
        until = self._until
        if until <= self.position:
            return True
        samples, end = self._store.samples_after(self._processors, self.position, until)
        if samples:
            self.writer.write(samples)
        self.position = end
        return end >= until

    def _complain(self, error: BaseException) -> None:
        if self.trouble is None:
            _log.warning("monitor: writer %s: %s; tries again", self.part.name, describe_error(error))
        self.trouble = describe_error(error)


class WriterSet:
    """All writers of a monitor. One thread uses it."""

    def __init__(self, parts: Iterable[Part], store: SampleStore, runtime: Runtime) -> None:
        """Makes them, and starts none.

        Raises:
            Exception: what a constructor raises.
        """
        self.running = [RunningWriter(part, store, runtime) for part in parts]
        self._clock = runtime.clock

    def start(self, positions: Mapping[str, float], default: float) -> None:
        """Starts them at positions, by name; a new one at ``default``."""
        for each in self.running:
            each.start(positions.get(each.part.name, default))

    def advance(self, until: float, processors: list[str]) -> None:
        """Lets them write what was committed before a time."""
        for each in self.running:
            each.advance(until, processors)

    def positions(self) -> dict[str, float]:
        """How far they are, by name."""
        return {each.part.name: each.position for each in self.running}

    def tellers(self) -> dict[str, Callable[[dict[str, Any]], None]]:
        """What tells of alarms, by the names of writers."""
        return {each.part.name: each.writer.tell for each in self.running}

    def status(self) -> list[dict[str, Any]]:
        """How they are, for people elsewhere."""
        return [{"name": each.part.name, "trouble": each.trouble or ""} for each in self.running]

    def close(self, seconds: float) -> None:
        """Ends them all, after ``seconds`` at most."""
        for each in self.running:
            each.stop()
        until = self._clock.monotonic() + seconds
        for each in self.running:
            each.close(max(until - self._clock.monotonic(), 0.0))
