"""What readers of the network share: a thread that receives, so that a slow source holds nothing up."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections import deque
from typing import Any, Final

import msgspec

from rave_core.errors import describe_error
from rave_monitor.reader import Event, Position, Reader

MOST_WAITING: Final = 10_000
"""Events that wait to be read."""
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_END: Final = 1.0


class QueuedReader(Reader):
    """Reads what a thread of its own receives. What waits to be read is part of the position, so a restart reads it."""

    def __init__(self) -> None:
        self._waiting = deque[Event]()
        self._mark: Any = None
        self._lost, self._notes = 0, list[str]()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self, position: Position | None) -> None:
        """Begins to receive after a position."""
        if position is not None:
            self._waiting, self._mark = deque(position["waiting"]), position["mark"]
        self._thread = threading.Thread(target=self._run, name="rave-monitor-reader", daemon=True)
        self._thread.start()

    def read(self, limit: int) -> list[Event]:
        """The events that wait."""
        with self._changed:
            found = [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]
            lost, self._lost = self._lost, 0
            notes, self._notes = self._notes, []
            self._changed.notify_all()
        for note in notes:
            self.tell(note)
        if lost:
            self.tell(f"{lost} events were lost: they came faster than they were read")
        return found

    def position(self) -> dict[str, Any]:
        """Where the source was received up to, and what of that waits to be read."""
        with self._changed:
            return {"mark": self._mark, "waiting": list(self._waiting)}

    def close(self) -> None:
        """Ends the thread. One that waits for its source ends once that answers, and changes nothing any more."""
        with self._changed:
            self._stop.set()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_END)

    @abstractmethod
    def receive(self) -> None:
        """Receives once: calls `arrived` with what comes, until `is_stopped`, or until there is no more for now.

        What it raises is the trouble of the reader; it is called again after a pause.
        """

    @property
    def is_stopped(self) -> bool:
        """Whether to end."""
        return self._stop.is_set()

    @property
    def mark(self) -> Any:
        """The latest mark, in values that JSON has; ``None`` at the beginning."""
        return self._mark

    def arrived(self, events: list[Event], mark: Any = None) -> None:
        """Adds what came, with the mark of the source after that. Waits while too many wait to be read."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) < MOST_WAITING or self.is_stopped)
            if not self.is_stopped:
                self.trouble = None
                self._waiting.extend(events)
                self._mark = mark

    def arrived_or_lost(self, events: list[Event]) -> None:
        """Adds what came from a source that can't be asked to wait; events beyond the limit are lost, and told."""
        with self._changed:
            room = max(MOST_WAITING - len(self._waiting), 0)
            self._waiting.extend(events[:room])
            self._lost += len(events[room:])

    def note(self, message: str) -> None:
        """Has the next ``read`` tell a message, in the thread that uses the reader."""
        with self._changed:
            self._notes.append(message)

    def pause(self, seconds: float) -> None:
        """Waits; ends at once when it is closed."""
        self._stop.wait(seconds)

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self.is_stopped:
            try:
                self.receive()
            except Exception as error:  # noqa: BLE001  # whatever a source or a library raises, it is tried again
                pause = _FIRST_PAUSE if self.trouble is None else min(pause * 2, _LONGEST_PAUSE)
                self.trouble = f"{describe_error(error)}; tries again"
                self.pause(pause)


def values_of(text: str) -> dict[str, Any]:
    """What a JSON object holds; of any other text ``{"data": text}``."""
    try:
        found = msgspec.json.decode(text.encode())
    except msgspec.DecodeError:
        found = None
    return found if isinstance(found, dict) else {"data": text}
