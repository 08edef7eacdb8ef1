"""A bus that a thread listens to, and connects to again after trouble."""

from __future__ import annotations

import logging
import threading
from abc import abstractmethod
from collections.abc import Callable

from rave_core.clock import Clock, SystemClock
from rave_core.errors import describe_error
from rave_core.events.bus import Bus, Interrupted, Receive

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0
_FAREWELL = 2.0
_log = logging.getLogger("rave.events")


class ListeningBus(Bus):
    """Runs `attend` in a thread; when it fails, again after a growing pause, and says that messages were missed.

    Attributes:
        closing: set when the bus is closed; `attend` returns within a second then.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.closing = threading.Event()
        self._clock = clock or SystemClock()
        self._trouble: str | None = None
        self._pause = _FIRST_PAUSE
        self._thread: threading.Thread | None = None

    @abstractmethod
    def attend(self, receive: Receive, connected: Callable[[], None]) -> None:
        """Connects, calls ``connected`` once it listens, then ``receive`` with each message until `closing` is set.

        Raises:
            Exception: anything, when the connection is lost or can't be made.
        """

    def listen(self, receive: Receive, interrupted: Interrupted) -> None:
        """Starts the thread."""

        def connected() -> None:
            trouble, self._trouble, self._pause = self._trouble, None, _FIRST_PAUSE
            if trouble is not None:
                _log.info("events of other processes arrive again")
                interrupted(f"the connection was lost: {trouble}")

        self._thread = threading.Thread(
            target=self._run, args=(self._guarded(receive), connected), name="rave events bus", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Ends the thread. Twice is harmless."""
        self.closing.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_FAREWELL)

    def check(self) -> str | None:
        """Why no messages arrive, in words; ``None`` if they do, or nobody listens."""
        return self._trouble

    def _guarded(self, receive: Receive) -> Receive:
        """Calls ``receive`` unless the bus is closed."""
        return lambda message: None if self.closing.is_set() else receive(message)

    def _run(self, receive: Receive, connected: Callable[[], None]) -> None:
        while not self.closing.is_set():
            try:
                self.attend(receive, connected)
            except Exception as error:  # noqa: BLE001  # whatever the client of a server raises
                if self._trouble is None and not self.closing.is_set():
                    _log.warning("events of other processes do not arrive: %s", describe_error(error))
                self._trouble = describe_error(error)
            self._clock.wait(self.closing, self._pause)
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
