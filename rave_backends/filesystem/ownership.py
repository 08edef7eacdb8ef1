"""The root of a filesystem cache: who may read it, its sealing key, and what is wrong with it."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import AbstractContextManager, suppress

from rave_backends.filesystem.file_lock import file_lock
from rave_backends.filesystem.paths import Tree
from rave_backends.filesystem.temp_files import TempFiles
from rave_core.clock import Clock

KEY_SIZE = 32
NO_LINKS = frozenset((errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK))
_TRIES = 5
_LITTLE = 1 << 20
_OURS = frozenset((".rave", ".gitignore", "CACHEDIR.TAG"))
_TAG = b"""Signature: 8a477f597d28d172789f06886806bc55
# This directory holds a RAVE cache: backups may leave it out, and deleting it costs computing time only.
"""
_IGNORE = b"""# Made by RAVE: a cache, and the key that seals its entries, do not belong into a repository.
*
"""
_IN_WORDS = {
    errno.EACCES: "no permission to write there; its owner may grant it, or choose another directory",
    errno.EPERM: "no permission to write there; its owner may grant it, or choose another directory",
    errno.EROFS: "it is on a read-only file system",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.ENOTDIR: "it, or something above it, is not a directory",
    errno.EEXIST: "it is not a directory",
    errno.ENOENT: "it does not exist and can't be created",
}


class Root:
    """The directory of a cache, created if it is missing.

    A root is private if we own it and nobody else can enter it. A private root gets a sealing key if we created it or
    found it empty. One that already held other things gets none, because we don't know who put them there. A root that
    others can enter never has one.
    """

    def __init__(self, tree: Tree, temporaries: TempFiles, clock: Clock, mode: int | None) -> None:
        self.tree = tree
        self.path = tree.root
        self._files = tree.files
        self.exact = mode is not None
        self.directory_mode = mode if mode is not None else 0o777
        self.file_mode = self.directory_mode & 0o666
        self.secret: bytes | None = None
        self._temporaries = temporaries
        self._clock = clock
        self._mode = mode

    def prepare(self) -> None:
        """Creates the root and its contents where they are missing. A root that vanished gets the same key again.

        Raises:
            OSError: it can't be created or written to.
        """
        self._make_root()
        self._look()
        for name in ("", "/tmp", "/leases", "/damaged"):  # noqa: S108  # below the root
            self.make(self.tree.control + name)
        is_ours = set(self._files.listdir(self.path)) <= _OURS
        self._keep_note(f"{self.tree.control}/.gitignore", _IGNORE)
        if is_ours:  # it would hide any other files here
            self._keep_note(f"{self.path}/.gitignore", _IGNORE)
        self._keep_note(f"{self.path}/CACHEDIR.TAG", _TAG)
        if self._is_private() and (self.secret or is_ours):
            self._make_key()
        self.secret = self._read_key()

    def attach(self) -> None:
        """Like ``prepare``, but does what it can if the root can't be written to."""
        try:
            self.prepare()
        except OSError:
            try:
                self._look()
                self.secret = self._read_key()
            except OSError:
                self.secret = None

    def make(self, directory: str) -> None:
        """Creates ``directory`` and its parents with the root's permissions.

        Raises:
            OSError: it can't be created.
        """
        try:
            self._files.mkdir(directory, self.directory_mode, exact=self.exact)
        except FileExistsError:
            if not stat.S_ISDIR(self._files.status(directory).st_mode):
                raise
        except FileNotFoundError:
            self.make(os.path.dirname(directory))
            self.make(directory)

    def lock(self, name: str, *, seconds: float = 0.0, shared: bool = False) -> AbstractContextManager[bool]:
        """Holds the lock ``name`` of this cache during the ``with`` block; see `file_lock`."""
        path = f"{self.tree.control}/{name}.lock"
        return file_lock(path, self.open_lock, self._clock, seconds=seconds, shared=shared)

    def open_lock(self, path: str) -> int:
        """The lock file ``path``, created with the root's permissions if it is missing.

        Removes anything else there, such as a link or a pipe. An existing file keeps its permissions, because it may
        belong to anybody.

        Raises:
            OSError: it can't be opened.
        """
        for _ in range(_TRIES):
            try:
                return self._files.open(path, os.O_RDWR)
            except FileNotFoundError:
                self._remove_impostor(path)
            self._make_lock(path)
        return self._files.open(path, os.O_RDWR)

    def _remove_impostor(self, path: str) -> None:
        # A regular file is the lock that a faster process has just made, and may hold.
        with suppress(OSError):
            if not stat.S_ISREG(self._files.status(path).st_mode):
                self._files.remove(path)

    def _make_lock(self, path: str) -> None:
        # Created elsewhere, so that nobody sees it without its permissions.
        temporary = self._temporaries.write([], mode=self.file_mode, exact=self.exact)
        try:
            self._files.link(temporary, path)
        except FileExistsError:
            pass  # another process was faster
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            with suppress(FileExistsError):
                os.close(self._files.create(path, self.file_mode, exact=self.exact))
        finally:
            self._files.remove(temporary)

    def trouble(self) -> str | None:
        """Why the root can't be written to, in words, or ``None``."""
        try:
            self.prepare()
            self._files.remove(self._temporaries.write([b"x"], mode=0o600))
            free = os.statvfs(self.path)
        except OSError as error:
            words = _IN_WORDS.get(error.errno or 0, error.strerror or str(error))
            return f"the cache directory {self.path} can't be written to: {words}"
        if free.f_bavail * free.f_frsize < _LITTLE:
            return f"the cache directory {self.path} can't take much more: less than 1 MiB of the disk is free"
        return None

    def doubt(self) -> str | None:
        """Why a private root now counts as shared, and how to make it private again; ``None`` if it does not."""
        key = f"{self.tree.control}/key"
        if self.secret or not self._files.exists(key):
            return None
        return (
            f"{self.path} has a sealing key, but others can enter it or read the key, so it counts as shared; "
            f"'chmod 700 {self.path}; chmod 600 {key}' makes it private again"
        )

    def _make_root(self) -> None:
        try:
            os.makedirs(os.path.dirname(self.path) or "/", exist_ok=True)
            os.mkdir(self.path, 0o700 if self._mode is None else self._mode)
        except FileExistsError as error:
            if not os.path.isdir(self.path):
                # One trouble has one number: whoever goes on to look below it is told this one.
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), error.filename) from error
        else:
            self._give_mode(0o700 if self._mode is None else self._mode)

    def _give_mode(self, mode: int) -> None:
        """Gives the root that we just created its permissions, unless another directory has replaced it."""
        root = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.fstat(root).st_uid == os.geteuid():
                os.fchmod(root, mode)
        finally:
            os.close(root)

    def _look(self) -> None:
        if self._mode is None:
            self.exact = private = self._is_private()
            self.directory_mode = 0o700 if private else 0o777
            self.file_mode = 0o600 if private else 0o666

    def _is_private(self) -> bool:
        return _only_ours(os.stat(self.path))

    def _keep_note(self, path: str, text: bytes) -> None:
        if not self._files.exists(path):
            self._files.replace(self._temporaries.write([text], mode=self.file_mode, exact=self.exact), path)

    def _make_key(self) -> None:
        path = f"{self.tree.control}/key"
        if self._files.exists(path):
            return
        temporary = self._temporaries.write([self.secret or os.urandom(KEY_SIZE)], mode=0o600, exact=True, durable=True)
        try:
            self._files.link(temporary, path)  # unlike a rename, it never replaces a faster process's key
        except OSError:
            pass  # another process was faster; or a file system without links, which stays without a key
        finally:
            self._files.remove(temporary)

    def _read_key(self) -> bytes | None:
        try:
            file = self._files.open(f"{self.tree.control}/key")
        except OSError:
            return None
        try:
            key = os.read(file, KEY_SIZE + 1)
            info = os.fstat(file)
        finally:
            os.close(file)
        ours = self._is_private() and _only_ours(info)
        return key if ours and len(key) == KEY_SIZE else None


def _only_ours(info: os.stat_result) -> bool:
    return info.st_uid == os.geteuid() and not info.st_mode & 0o077


def parse_mode(text: str) -> int:
    """The permissions of a directory, from octal digits.

    Raises:
        ValueError: they are not permissions, or shut the owner out.
    """
    mode = int(text, 8) if text.isdecimal() else 0
    if mode & ~0o3777 or mode & 0o700 != 0o700:
        raise ValueError("expected an octal mode that gives its owner everything, such as 700 or 2770")
    return mode
