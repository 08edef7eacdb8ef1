"""The daemon: the process that you start waits until its daemon serves, and reports the outcome."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Final

from rave_core.errors import describe_error

_LONGEST: Final = 2000  # bytes of a line: what a pipe takes at once, so that lines of several processes do not mix
_PID, _ERROR, _READY = "pid", "error", "ready"


class Parent:
    """The channel from a daemon and its workers to the process that waits for it.

    Until the daemon serves, errors in the log go there too.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        self._handler = _Handler(self)
        logging.getLogger().addHandler(self._handler)
        self.tell(_PID, str(os.getpid()))

    def listen(self) -> None:
        """Attaches to the log again, after a log configuration removed every handler."""
        if self._descriptor is not None:
            logging.getLogger().addHandler(self._handler)

    def tell(self, word: str, text: str) -> None:
        """Sends one line; does nothing when nobody waits any more."""
        if self._descriptor is not None:
            line = f"{word} {' '.join(text.split())}".encode()[:_LONGEST] + b"\n"
            with contextlib.suppress(OSError):
                os.write(self._descriptor, line)

    def ready(self, text: str) -> None:
        """Reports that the daemon serves, which ends the wait."""
        self.tell(_READY, text)
        self.leave()

    def leave(self) -> None:
        """Closes the channel. Calling it twice is harmless."""
        logging.getLogger().removeHandler(self._handler)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class _Handler(logging.Handler):
    """Sends errors to the parent."""

    def __init__(self, parent: Parent) -> None:
        super().__init__(logging.ERROR)
        self._parent = parent

    def emit(self, record: logging.LogRecord) -> None:
        """Sends the message in one line, and the exception without its traceback."""
        with contextlib.suppress(Exception):
            cause = record.exc_info[1] if record.exc_info else None
            self._parent.tell(_ERROR, record.getMessage() + (f": {describe_error(cause)}" if cause is not None else ""))


def detach(directory: str, *, keep: Iterable[int], say: Callable[[str], None]) -> Parent:
    """Continues in a daemon. In the calling process this never returns: it exits when the daemon serves or ends.

    The daemon has its own session, ``directory`` as its working directory, the mask 022, and standard streams that lead
    nowhere. Of all other open files it keeps those in ``keep``.

    Args:
        directory: must exist.
        keep: file descriptors.
        say: writes a line for the process that waits.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        os.close(writing)
        os.waitpid(child, 0)
        sys.exit(_follow(reading, say))
    os.setsid()
    if os.fork():  # so that the daemon leads no session, and never gets a terminal
        os._exit(0)
    os.umask(0o022)
    os.chdir(directory)
    _close_all_but({*keep, writing})
    return Parent(writing)


def _close_all_but(keep: set[int]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    first = 3
    for descriptor in sorted(keep - {0, 1, 2}):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def _follow(reading: int, say: Callable[[str], None]) -> int:
    """Waits until the daemon serves or ends, and prints its lines. Returns the exit code."""
    pid, reason = 0, "it ended before it was ready"
    try:
        with open(reading, encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines):
                word, _, text = line.rstrip("\n").partition(" ")
                if word == _READY:
                    say(text)
                    return 0
                if word == _PID:
                    pid = int(text)
                elif number == 1:  # what follows from the first error is in the log
                    reason = text
    except KeyboardInterrupt:
        if pid:
            os.kill(pid, signal.SIGTERM)
        say("interrupted; the daemon was told to stop")
        return 130
    say(f"error: the service did not start: {reason}")
    return 1
