"""The PID file: identifies the process to stop or reload, and locks out a second one."""

from __future__ import annotations

import fcntl
import os
import tempfile
import threading
from pathlib import Path
from typing import Final

from rave_core.clock import SystemClock
from rave_core.errors import ConfigurationError
from rave_core.system.host import is_alive, process_start

_clock = SystemClock()
_PATIENCE: Final = 2.0  # seconds
_SLACK: Final = 2.0  # seconds by which the times of a file and of a process may be off
_LONGEST: Final = 32


class PidFile:
    """The file in which the service writes its process ID, and which it holds locked for as long as it runs.

    Readers see a whole file or none. A file left by a crash is replaced: nobody holds it, and no process as old as the
    file has its ID. Not for several threads.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)
        self._held: int | None = None

    def check(self) -> None:
        """Returns if the file could be claimed now.

        Raises:
            ConfigurationError: a live process holds it, the file there is not a PID file, or it can't be written.
        """
        descriptor = self._found()
        if descriptor is not None:
            os.close(descriptor)
        directory = os.path.dirname(self.path)
        if not os.access(directory, os.W_OK | os.X_OK):
            reason = "permission denied" if os.path.isdir(directory) else f"there is no directory {directory}"
            raise ConfigurationError(f"the PID file {self.path} can't be written: {reason}")

    def claim(self) -> None:
        """Writes the ID of this process, and holds the file until `release`; of several at once, one gets it.

        Raises:
            ConfigurationError: as for `check`.
        """
        while self._held is None:
            stale = self._found()
            try:
                self._held = self._write(over=stale)
            except OSError as error:
                raise ConfigurationError(f"the PID file {self.path} can't be written: {error.strerror}") from error
            finally:
                if stale is not None:
                    os.close(stale)

    def release(self) -> None:
        """Removes the file if it is held. Calling it twice is harmless."""
        if self._held is not None:
            if _is_at(self.path, self._held):
                os.unlink(self.path)
            self.leave()

    def leave(self) -> None:
        """Releases the file without removing it: for a process forked from the one that claimed it."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _found(self) -> int | None:
        """The stale file that is there, locked; ``None`` if there is none."""
        while True:
            try:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
            except FileNotFoundError:
                return None
            except OSError as error:
                raise ConfigurationError(f"the PID file {self.path} can't be read: {error.strerror}") from error
            try:
                self._refuse(descriptor)
            except BaseException:
                os.close(descriptor)
                raise
            if _is_at(self.path, descriptor):
                return descriptor
            os.close(descriptor)  # it was replaced while we looked: look again

    def _refuse(self, descriptor: int) -> None:
        pid = _pid_in(descriptor)
        if pid is None:
            raise ConfigurationError(f"{self.path} is not a PID file: it does not hold a number; name another one")
        if _is_held(descriptor, pid) or _is_as_old(pid, os.fstat(descriptor).st_mtime):
            raise ConfigurationError(f"raved already runs as pid {pid} ({self.path}): stop it, or name another file")

    def _write(self, *, over: int | None) -> int | None:
        """Replaces ``over``, or creates the file; ``None`` if another process was faster."""
        descriptor, draft = tempfile.mkstemp(prefix=".raved-", dir=os.path.dirname(self.path))
        try:
            os.write(descriptor, f"{os.getpid()}\n".encode())
            os.fchmod(descriptor, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if over is None:
                os.link(draft, self.path)
                os.unlink(draft)
            else:
                os.replace(draft, self.path)
        except BaseException as error:
            os.close(descriptor)
            Path(draft).unlink(missing_ok=True)
            if isinstance(error, FileExistsError):
                return None
            raise
        return descriptor


def _pid_in(descriptor: int) -> int | None:
    text = os.pread(descriptor, _LONGEST, 0).strip()
    return int(text) if text.isdigit() else None


def _is_at(path: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _is_held(descriptor: int, pid: int) -> bool:
    """Whether another process holds the file; one that is about to replace it gets a moment to do that."""
    end = _clock.monotonic() + _PATIENCE
    while _is_locked(descriptor):
        if is_alive(pid, "") or _clock.monotonic() > end:
            return True
        _clock.wait(threading.Event(), 0.01)
    return False


def _is_locked(descriptor: int) -> bool:
    """Locks the file. Returns whether another process holds it. Without locks in the file system, nobody does."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _is_as_old(pid: int, written: float) -> bool:
    """Whether another live process of that ID could have written something at that Unix time."""
    if pid == os.getpid() or not is_alive(pid, ""):
        return False
    try:
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        age = uptime - int(process_start(pid)) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return True
    return age > _clock.now() - written - _SLACK
