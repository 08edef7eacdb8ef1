"""The outbox: a thread that hands what this process publishes to the bus, so that a slow bus costs nobody else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from rave_core.clock import Clock
from rave_core.errors import describe_error
from rave_core.events.bus import Bus
from rave_core.events.event import Event
from rave_core.events.mailbox import Mailbox
from rave_core.events.wire import encoded

QUEUE = 10_000
RATE = 5_000
"""Events per second that a process sends to others, on average; what comes faster for long is dropped, oldest first."""

_PAUSE = 0.05
_AT_ONCE = int(RATE * _PAUSE)
_RESTS = 1.0  # seconds until a bus that failed is tried again
_FAREWELL = 1.0  # seconds that closing waits for what is queued
_log = logging.getLogger("rave.events")


class Outbox:
    """What waits to be sent. Safe for many threads."""

    def __init__(self, bus: Bus, origin: str, clock: Clock) -> None:
        """Sends events of ``origin``; its thread starts with the first event."""
        self._bus = bus
        self._origin = origin
        self._clock = clock
        self._number = 0
        self._lock = threading.Lock()
        self._news, self._closing = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._is_failing = False
        self._mailbox: Mailbox[tuple[int, Event]] = Mailbox(QUEUE, self._news.set)

    @property
    def lost(self) -> int:
        """How many events were dropped because they came faster than the bus takes them."""
        return self._mailbox.lost

    def put(self, event: Event) -> None:
        """Queues an event, which gets the next number."""
        with self._lock:  # numbers grow in the order of the queue
            self._number += 1
            self._mailbox.put((self._number, event))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="rave events outbox", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Sends what waits, within a second, and ends the thread."""
        self._closing.set()
        self._news.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_FAREWELL)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._news.wait()
            self._news.clear()
            while self._send_some():
                if self._clock.wait(self._closing, _RESTS if self._is_failing else _PAUSE):
                    break
        while not self._is_failing and self._send_some():
            pass

    def _send_some(self) -> bool:
        """Sends the oldest; returns whether there were any."""
        events, _ = self._mailbox.take(_AT_ONCE)
        for message in encoded(self._origin, events, self._bus.max_bytes):
            self._try(self._bus.send, message)
            if self._is_failing:
                break  # the rest of these is lost too, which their numbers tell
        return bool(events)

    def _try(self, send: Callable[[bytes], None], message: bytes) -> None:
        try:
            send(message)
        except Exception as error:  # noqa: BLE001  # a bus of a plugin may raise anything
            if not self._is_failing:
                _log.warning("events do not reach other processes: %s", describe_error(error))
            self._is_failing = True
        else:
            if self._is_failing:
                _log.info("events reach other processes again")
            self._is_failing = False
