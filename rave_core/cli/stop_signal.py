"""What asks a process in the foreground to stop."""

from __future__ import annotations

import contextlib
import os
import select
import signal


class StopSignal:
    """Waits for one of some signals. For the main thread alone.

    A handler runs between any two lines of the main thread, also while that holds the lock within a `threading.Event`,
    which would then never be set; this writes to a pipe instead. Once a signal came, it stays come.
    """

    def __init__(self, *numbers: signal.Signals) -> None:
        """Takes the signals over; they are not given back."""
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)  # the pipe may be full of signals
        for number in numbers:
            signal.signal(number, self._come)

    def wait(self, seconds: float | None = None) -> bool:
        """Whether a signal has come, at the latest after ``seconds``; ``None`` waits for one."""
        return bool(select.select((self._read,), (), (), seconds)[0])

    def _come(self, *_: object) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"s")
