"""Drafts: where the body of a file operation writes, out of everybody else's reach."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from rave_backends.filesystem.ownership import Root
from rave_backends.filesystem.paths import Tree
from rave_backends.filesystem.rooted_files import RootedFiles
from rave_backends.filesystem.temp_files import TempFiles
from rave_core.errors import ProductError
from rave_core.settings.sources import user_directory
from rave_core.system.ownership import who_may_change


class Drafts:
    """Gives out paths to write to, and moves what was written to its place in the store.

    A body opens the path that it gets, so nobody else may rename or replace anything along that path: a link there
    could lead the body into a file of its own user. If the store is ours alone, drafts lie in it. Otherwise they lie in
    the user's own cache directory, or in a new directory below the system's directory for temporary files. From there
    they are moved, or copied if the store is on another file system.
    """

    def __init__(self, tree: Tree, root: Root, temporaries: TempFiles) -> None:
        self._tree = tree
        self._root = root
        self._inside = temporaries
        self._outside: TempFiles | None = None
        self._lone: set[str] = set()  # directories of drafts in the directory for temporary files
        self._lone_directories: dict[str, str] = {}

    def new(self, suffix: str) -> Path:
        """A path, not yet existing, ending in ``suffix``, in a directory of its own.

        Raises:
            ProductError: ``suffix`` is not the end of a file name.
            OSError: there is no place for it.
        """
        if "/" in suffix or "\0" in suffix:
            raise ProductError(f"{suffix!r} can't be the suffix of a product: expected the end of a file name")
        if not self._tree.files.exists(self._inside.directory):
            self._root.prepare()
        directory = self._made(self._inside) if who_may_change(self._inside.directory) is None else self._made_outside()
        return Path(f"{directory}/product{suffix}")

    def owns(self, path: str) -> bool:
        """Whether ``path`` is one that ``new`` gave."""
        directory = os.path.dirname(path)
        places = {self._inside.directory, self._outside.directory if self._outside else ""}
        return os.path.dirname(directory) in places or directory in self._lone

    def open(self, path: str) -> int:
        """A descriptor of what was written to the draft ``path``.

        Raises:
            ProductError: nothing or no plain file is there, or ``new`` did not give that path.
        """
        if not self.owns(path):
            raise ProductError(f"{path} can't become a product: expected a plain file at the path that draft() gave")
        try:
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise ProductError(f"there is no draft {path}: nothing was written") from None
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENXIO):
                raise
            raise ProductError(f"{path} can't become a product: expected a plain file") from None
        if stat.S_ISREG(os.fstat(file).st_mode):
            return file
        os.close(file)
        raise ProductError(f"{path} can't become a product: expected a plain file")

    def take(self, path: str, file: int) -> str:
        """Moves or copies the open draft ``path`` into the store's directory of temporary files; returns the path.

        Raises:
            OSError: that failed; the draft is where it was.
        """
        if self._is_inside(path):
            return path
        target = self._inside.path()
        try:
            with self._tree.files.directory(self._inside.directory) as directory:
                os.link(path, os.path.basename(target), dst_dir_fd=directory, follow_symlinks=False)
                self._adopt(file, directory)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
                raise
            self._copy(file, target)
        return target

    def finish(self, file: int, *, durable: bool) -> int:
        """Gives an open draft a product's permissions and time, unless it also has another name; returns its size."""
        info = os.fstat(file)
        if info.st_nlink == 1 and (self._root.exact or self._root.file_mode == 0o600):
            readers = self._root.file_mode & 0o444  # anyone who may read a program may run it
            os.fchmod(file, self._root.file_mode | (readers >> 2 if info.st_mode & 0o100 else 0))
        os.utime(file)
        if durable:
            os.fsync(file)
        return info.st_size

    def discard(self, path: str) -> None:
        """Removes a draft and its directory. A missing draft is no error."""
        if not self.owns(path):
            return
        directory = os.path.dirname(path)
        if self._is_inside(path):
            self._tree.files.remove(directory)
        else:
            RootedFiles(os.path.dirname(directory)).remove(directory)
            self._lone.discard(directory)

    def own_directory(self, name: str) -> str:
        """The path of a directory that nobody else can change, for what is to stay for longer than a draft.

        Raises:
            OSError: it can't be created.
        """
        if who_may_change(self._inside.directory) is None:
            with suppress(OSError):
                self._root.make(f"{self._tree.control}/{name}")
                return f"{self._tree.control}/{name}"
        directory = self.outside_directory(name)
        with suppress(OSError):
            os.makedirs(directory, 0o700, exist_ok=True)
            if who_may_change(directory) is None:
                return directory
        if name not in self._lone_directories:
            self._lone_directories[name] = tempfile.mkdtemp(prefix="rave-")
        return self._lone_directories[name]

    def outside_directory(self, name: str) -> str:
        """The path of the user's own directory of that name, outside of the store; it may not exist."""
        return f"{os.path.dirname(self._outside_place().directory)}/{name}"

    def sweep(self, now: float) -> int:
        """Removes what this user's dead processes left outside the store; returns how many."""
        with suppress(OSError):
            return self._outside_place().sweep(now)
        return 0

    def _is_inside(self, path: str) -> bool:
        return os.path.dirname(os.path.dirname(path)) == self._inside.directory

    def _made(self, place: TempFiles) -> str:
        directory = place.path()
        os.mkdir(directory, 0o700)
        return directory

    def _made_outside(self) -> str:
        self._outside = place = self._outside_place()
        with suppress(OSError):
            os.makedirs(place.directory, 0o700, exist_ok=True)
            if who_may_change(place.directory) is None:
                return self._made(place)
        directory = tempfile.mkdtemp(prefix="rave-")
        self._lone.add(directory)
        return directory

    def _outside_place(self) -> TempFiles:
        if self._outside is not None:
            return self._outside
        home = user_directory("cache", os.environ)
        own = home if home.is_absolute() else Path(tempfile.gettempdir(), f"rave-{os.geteuid()}")
        directory = str(own / "drafts")
        return TempFiles(RootedFiles(directory), directory)

    def _adopt(self, file: int, directory: int) -> None:
        """Gives a file the group that new files in ``directory`` get."""
        info = os.fstat(directory)
        if info.st_mode & stat.S_ISGID:
            with suppress(OSError):
                os.fchown(file, -1, info.st_gid)

    def _copy(self, file: int, target: str) -> None:
        copy = self._tree.files.create(target, 0o600)
        with suppress(OSError):
            os.fchmod(copy, os.fstat(file).st_mode & 0o777)
        try:
            with os.fdopen(copy, "wb") as sink, os.fdopen(os.dup(file), "rb") as source:
                source.seek(0)
                shutil.copyfileobj(source, sink, 1 << 20)
        except BaseException:
            self._tree.files.remove(target)
            raise
