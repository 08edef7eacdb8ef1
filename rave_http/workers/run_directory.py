"""The run directory, which the workers of one service share: sockets, metrics and small facts."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from rave_core.clock import SystemClock
from rave_core.errors import ConfigurationError

_PREFIX: Final = "rave-board-"
_STOPPING: Final = "stopping"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*\Z")
_LONGEST_SOCKET: Final = 107  # what Linux takes as the path of a socket; others take 103
_LONGEST_NAME: Final = len("worker-4194304.socket.new")
_SETTLED: Final = 3600.0  # seconds after which an unlocked directory can't be a new one any more


class RunDirectory:
    """The directory of one service. A process creates it before it forks the workers, and removes it at the end.

    The creator and its children hold a lock on the directory, which keeps temporary-file cleaners away while any of
    them lives. Every method may wait for a disk.

    Attributes:
        directory: its path; no other user may enter it.
        metrics: the directory of the files in which each worker counts.
    """

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        self.metrics = self.directory / "metrics"
        self._maker: int | None = None
        self._hold: int | None = None

    @classmethod
    def create(cls) -> RunDirectory:
        """Creates a run directory of this process. Also removes those of dead services.

        It is in the directory that systemd made for the service, else in the system's temporary directory. It is not in
        ``XDG_RUNTIME_DIR``, which disappears when the user who started the service logs out.

        Raises:
            ConfigurationError: no such directory has a path that is short enough for sockets.
        """
        parent = _parent()
        _sweep(parent)
        run_directory = cls(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        run_directory._maker = os.getpid()
        run_directory._hold = os.open(run_directory.directory, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(run_directory._hold, fcntl.LOCK_SH)
        run_directory.metrics.mkdir(mode=0o700)
        return run_directory

    def remove(self) -> None:
        """Removes the directory, if this process created it. Calling it twice is harmless."""
        if self._maker != os.getpid():
            return
        self._maker = None
        shutil.rmtree(self.directory, ignore_errors=True)
        if self._hold is not None:
            os.close(self._hold)
            self._hold = None

    def write(self, name: str, document: object) -> None:
        """Writes ``document`` under ``name``, atomically, for every worker to read.

        Args:
            name: of small letters, digits and hyphens.
            document: any value that JSON can express.

        Raises:
            ValueError: ``name`` is not of that form.
            OSError: the directory is gone, or full.
        """
        path = self._fact(name)
        descriptor, temporary = tempfile.mkstemp(prefix=f"{name}.", suffix=".new", dir=self.directory)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(document))
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def read(self, name: str) -> Any:
        """The document under ``name``; ``None`` if there is none.

        Raises:
            ValueError: ``name`` is not of the form that ``write`` takes.
        """
        try:
            return msgspec.json.decode(self._fact(name).read_bytes())
        except FileNotFoundError:
            return None

    def update(self, name: str, change: Callable[[Any], object]) -> None:
        """Replaces the document under ``name`` with the result of ``change``; changes by others are not lost.

        Raises:
            ValueError: ``name`` is not of the form that ``write`` takes.
            OSError: the directory is gone, or full.
        """
        with self.locked(name):
            self.write(name, change(self.read(name)))

    def stop(self) -> None:
        """Records that the whole service is about to stop. Never fails."""
        with contextlib.suppress(OSError):  # the directory is gone, or full
            self.write(_STOPPING, True)

    @property
    def is_stopping(self) -> bool:
        """Whether the whole service is about to stop, not only the worker that asks."""
        return self._fact(_STOPPING).exists()

    @contextlib.contextmanager
    def locked(self, name: str, *, shared: bool = False, wait: bool = True) -> Iterator[None]:
        """Holds the lock ``name`` among all workers, alone or with others who share it.

        Raises:
            BlockingIOError: others hold it, and ``wait`` is false.
            OSError: the directory is gone.
        """
        flags = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
        descriptor = os.open(self._fact(name).with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, flags)
            yield
        finally:
            os.close(descriptor)

    def socket(self, worker: str) -> Path:
        """The socket path of the worker of that name."""
        return self.directory / f"{worker}.socket"

    def workers(self) -> list[str]:
        """The names of all workers that listen, in order; some may be dead."""
        return sorted(path.stem for path in self.directory.glob("*.socket"))

    def forget(self, worker: str) -> None:
        """Removes the socket of a dead worker. Calling it twice is harmless."""
        self.socket(worker).unlink(missing_ok=True)

    def _fact(self, name: str) -> Path:
        if not _NAME.match(name):
            raise ValueError(
                f"a fact in the run directory is named with small letters, digits and hyphens, not {name!r}"
            )
        return self.directory / f"{name}.json"


def _parent() -> Path:
    """The parent of run directories."""
    given = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    for place in filter(None, (given, tempfile.gettempdir(), "/tmp")):  # noqa: S108  # mkdtemp makes the directory
        longest = len(os.fsencode(place)) + len(f"/{_PREFIX}12345678/") + _LONGEST_NAME
        if longest <= _LONGEST_SOCKET and os.access(place, os.W_OK | os.X_OK):
            return Path(place)
    raise ConfigurationError(
        f"the workers' sockets need a directory with a path of at most {_LONGEST_SOCKET} bytes: "
        f"set TMPDIR to a shorter one than {tempfile.gettempdir()!r}"
    )


def _sweep(parent: Path) -> None:
    """Removes run directories of ours that nobody holds."""
    for left in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # another user's, held, or already gone
            descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                found = os.fstat(descriptor)
                if found.st_uid == os.geteuid() and SystemClock.now() - found.st_mtime > _SETTLED:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(descriptor)
