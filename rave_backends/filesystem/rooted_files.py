"""The files of a cache: reached by descriptors from its root, never through a link, and never blocking.

A user who can write in a shared cache can replace anything with a link, a named pipe or a device, even between two
looks at it. So only the root itself is opened by its path. Each file is checked once it is open, and anything but a
regular file counts as absent.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rave_backends.filesystem.open_root import OpenRoot, open_root
from rave_backends.filesystem.openat import DIRECTORY, open_beneath

_QUIET = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_NO_FILE = frozenset((errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.ENODEV, errno.EAGAIN, errno.EISDIR))


class RootedFiles:
    """Works on files by their absolute paths below ``root``. Safe for threads and forks. Only the root stays open.

    Methods raise the errors of the functions of the same names in `os`; a link in a path counts as missing. If the root
    is ours and nobody else can enter it, nobody else can put a link there, so the kernel resolves the whole path.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._start = len(root) + 1
        self._known: OpenRoot | None = None

    def open(self, path: str, flags: int = os.O_RDONLY, mode: int = 0) -> int:
        """A descriptor of the regular file ``path``.

        Raises:
            FileNotFoundError: there is none, or something else in its place.
            OSError: it can't be opened.
        """
        return self.open_known(path, flags, mode)[0]

    def open_known(self, path: str, flags: int = os.O_RDONLY, mode: int = 0) -> tuple[int, os.stat_result]:
        """A descriptor of the regular file ``path``, and its status when it was opened; see `open`."""
        file, _ = self.open_any(path, flags, mode)
        info = os.fstat(file)
        if stat.S_ISREG(info.st_mode):
            return file, info
        os.close(file)
        raise FileNotFoundError(errno.ENOENT, "it is not a regular file", path)

    def open_any(self, path: str, flags: int = os.O_RDONLY, mode: int = 0) -> tuple[int, bool]:
        """A descriptor of what is at ``path``, be it a file or not, and whether nobody else can have put it there."""
        root, is_ours_alone = self._root()
        name = path[self._start :] or "."
        return self._opened(root, is_ours_alone, path, name, flags | _QUIET, mode), is_ours_alone

    def create(self, path: str, mode: int, *, exact: bool = False) -> int:
        """A descriptor for writing the new file ``path``. If ``exact``, ``mode`` applies regardless of the umask."""
        file, info = self.open_known(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        if exact and stat.S_IMODE(info.st_mode) != mode:
            os.fchmod(file, mode)
        return file

    def read(self, path: str, most: int = -1) -> bytes:
        """The content of the file ``path``, or at most its first ``most`` bytes."""
        with open(self.open(path), "rb") as file:
            return file.read(most)

    def status(self, path: str) -> os.stat_result:
        """The status of ``path`` itself, even if it is a link."""
        with _Parent(self, path) as (directory, name):
            return os.stat(name, dir_fd=directory, follow_symlinks=False)

    def exists(self, path: str) -> bool:
        """Whether there is anything at ``path``."""
        try:
            with _Parent(self, path) as (directory, name):
                return os.access(name, os.F_OK, dir_fd=directory, follow_symlinks=False)
        except OSError:
            return False

    def mkdir(self, path: str, mode: int, *, exact: bool = False) -> None:
        """Creates a directory. If ``exact``, ``mode`` applies regardless of the umask."""
        with _Parent(self, path) as (directory, name):
            os.mkdir(name, mode, dir_fd=directory)
            if exact:
                made = os.open(name, os.O_RDONLY | os.O_DIRECTORY | _QUIET, dir_fd=directory)
                try:
                    if os.fstat(made).st_uid == os.geteuid():
                        os.fchmod(made, mode)
                finally:
                    os.close(made)

    def replace(self, source: str, target: str) -> None:
        """Moves ``source`` to ``target``, and replaces what was there."""
        parent = _Parent(self, source)
        with parent as (here, name):
            if parent.is_root:  # one descriptor serves both
                os.replace(name, target[self._start :] or ".", src_dir_fd=here, dst_dir_fd=here)
                return
            with _Parent(self, target) as (there, other):
                os.replace(name, other, src_dir_fd=here, dst_dir_fd=there)

    def link(self, source: str, target: str) -> None:
        """Gives the file ``source`` the second path ``target``, where nothing may exist yet."""
        with _Parent(self, source) as (here, name), _Parent(self, target) as (there, other):
            os.link(name, other, src_dir_fd=here, dst_dir_fd=there, follow_symlinks=False)

    def unlink(self, path: str) -> None:
        """Removes a file, or the link itself."""
        with _Parent(self, path) as (directory, name):
            os.unlink(name, dir_fd=directory)

    def rmdir(self, path: str) -> None:
        """Removes an empty directory."""
        with _Parent(self, path) as (directory, name):
            os.rmdir(name, dir_fd=directory)

    def utime(self, path: str, times: tuple[float, float] | None = None) -> None:
        """Sets the times of access and modification of ``path`` itself, by default to the present."""
        with _Parent(self, path) as (directory, name):
            os.utime(name, times, dir_fd=directory, follow_symlinks=False)

    def remove(self, path: str) -> bool:
        """Removes a file, or a directory with its contents; whether there was one. Ignores failures."""
        try:
            with _Parent(self, path) as (directory, name):
                if stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
                    _remove_directory(name, directory)
                else:
                    os.unlink(name, dir_fd=directory)
        except OSError:
            return False
        return True

    def listdir(self, path: str) -> list[str]:
        """The names in a directory; none if the directory does not exist."""
        try:
            with self.directory(path) as directory:
                return os.listdir(directory)
        except (FileNotFoundError, NotADirectoryError):
            return []

    @contextmanager
    def directory(self, path: str) -> Iterator[int]:
        """A descriptor for reading a directory, open while the ``with`` block runs."""
        file, _ = self.open_any(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield file
        finally:
            os.close(file)

    def sync(self, path: str) -> None:
        """Flushes a file or directory to the disk."""
        file, _ = self.open_any(path)
        try:
            os.fsync(file)
        finally:
            os.close(file)

    def _opened(self, root: OpenRoot, is_ours_alone: bool, path: str, name: str, flags: int, mode: int = 0) -> int:
        """A descriptor of ``name`` below the open ``root``; ``path`` is for messages."""
        try:
            if is_ours_alone:
                return os.open(name, flags, mode, dir_fd=root.file)
            return open_beneath(root.file, name, flags, mode)
        except OSError as error:
            if error.errno in _NO_FILE:
                raise FileNotFoundError(errno.ENOENT, os.strerror(error.errno), path) from error
            if error.errno == errno.ESTALE:  # a server may give a new root the number of the old one
                self._known = None
            error.filename = path
            raise

    def _root(self) -> tuple[OpenRoot, bool]:
        """The open root, and whether it is ours, and nobody else (but root) can enter it."""
        info, known = os.lstat(self.root), self._known
        if known is None or info.st_ino != known.inode or info.st_dev != known.device:
            known, info = open_root(self.root)
            self._known = known
        return known, not info.st_mode & 0o077 and info.st_uid == os.geteuid()


class _Parent:
    """The directory of a path, open while the ``with`` block runs, which gets its descriptor and the name in it.

    If nobody else can enter the root, it is the root and the path below it. A class, since a generator takes three
    times as long to enter and leave.

    Attributes:
        is_root: whether it is the root. Known inside the block.
    """

    __slots__ = ("_file", "_files", "_path", "_root", "is_root")

    def __init__(self, files: RootedFiles, path: str) -> None:
        self._files, self._path = files, path

    def __enter__(self) -> tuple[int, str]:
        files, path = self._files, self._path
        name = path[files._start :] or "."
        self._root, self.is_root = root, is_root = files._root()
        if is_root:
            return root.file, name
        directory, _, name = name.rpartition("/")
        self._file = files._opened(root, False, path, directory or ".", DIRECTORY)
        return self._file, name

    def __exit__(self, *_: object) -> None:
        if not self.is_root:
            os.close(self._file)


def _remove_directory(name: str, parent: int) -> None:
    shutil.rmtree(name, ignore_errors=True, dir_fd=parent)
    if not os.access(name, os.F_OK, dir_fd=parent, follow_symlinks=False):
        return
    # Directories in it may be read-only.
    for _, _, _, directory in os.fwalk(name, dir_fd=parent):
        with suppress(OSError):
            os.fchmod(directory, 0o700)
    shutil.rmtree(name, ignore_errors=True, dir_fd=parent)
