"""Where flow files lie: a directory, seen at one moment."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Self

from rave_flow.errors import (
    ChangedError,
    NoDirectoryError,
    NoFilesError,
    StrictError,
    UnknownSourceError,
    UnreadableError,
)
from rave_flow.formats.file_names import KNOWN, NAME_LOGS, Form, form_of_name, why_not
from rave_flow.model.flow_settings import flow_settings

ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file as it was when the directory was scanned; another size or time makes it another file.

    Attributes:
        path: absolute.
        mtime_ns: time of last modification, in nanoseconds.
        identity: device and number of what the path names; two paths of one file have the same.
        mode: the bits of its permissions.
    """

    path: str
    size: int
    mtime_ns: int
    identity: tuple[int, int] = field(default=(0, 0), compare=False)
    mode: int = field(default=0, compare=False)

    @classmethod
    def at(cls, path: str | Path) -> SourceFile:
        """The file at ``path``, now.

        Raises:
            OSError: there is no file.
            UnreadableError: it is a pipe, a device or the like. Opening one could block forever.
        """
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError(f"{path}: is {kind_of(status.st_mode)}, no file")
        return cls(str(path), status.st_size, status.st_mtime_ns, (status.st_dev, status.st_ino), status.st_mode)

    def __rave_key__(self) -> bytes:
        """What represents the file in a key; its name may not be text."""
        return b"%d:%d:%b" % (self.size, self.mtime_ns, os.fsencode(self.path))

    @property
    def name(self) -> str:
        """The file's name and its folder's, for messages."""
        return "/".join(Path(self.path).parts[-2:])


_READABLE = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


def kind_of(mode: int) -> str:
    """What is there instead of a file, in words."""
    return _KINDS.get(stat.S_IFMT(mode), "of an unknown kind")


_KINDS = {
    stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a directory",
}  # fmt: skip


def form_of(file: SourceFile) -> Form:
    """What the file is, by its name."""
    return form_of_name(os.path.basename(file.path)) or Form.ZEEK


@dataclass(frozen=True, slots=True)
class Repository:
    """The flow files of a directory at one moment, by path.

    As an argument of an operation, it represents what the directory held: a new, changed or removed
    file makes another key.

    Attributes:
        passed_over: what looks like flows but is not read: names below the directory, each with the reason.
        strict: whether anything that can't be read is an error.
    """

    directory: str
    files: tuple[SourceFile, ...]
    passed_over: tuple[tuple[str, str], ...] = ()
    strict: bool = False

    def __rave_key__(self) -> str:
        """What represents the repository in a key."""
        total = blake2b(repr((self.directory, self.passed_over, self.strict)).encode(), digest_size=20)
        total.update(b"\0".join([file.__rave_key__() for file in self.files]))
        return total.hexdigest()

    @classmethod
    def scan(cls, directory: str | os.PathLike[str], *, strict: bool = False) -> Self:
        """The flow files below ``directory`` now; hidden files and folders do not count. Links are followed.

        Raises:
            NoDirectoryError: it does not exist, or can't be read.
            NoFilesError: it holds no file that looks like flows.
            UnreadableError: it holds some, and none of them can be read.
            StrictError: one of them can't be read, and ``strict`` is asked for.
            ChangedError: files keep coming and going while the directory is scanned.
        """
        root = Path(directory).expanduser().absolute()
        if not root.is_dir():
            raise NoDirectoryError(f"{root} is not a directory: flow files are looked for there")
        files, passed_over = _settled(root)
        files, passed_over = _without_mixture(root, files, passed_over)
        if strict and passed_over:
            raise StrictError(f"{root}/{passed_over[0][0]}: {passed_over[0][1]}; strict is set, so there is no answer")
        if not files and passed_over:
            raise UnreadableError(f"{root}/{passed_over[0][0]}: {passed_over[0][1]}")
        if not files:
            raise NoFilesError(f"{root} holds no flow files: {KNOWN}")
        return cls(str(root), files, passed_over, strict)


def scan_names(directory: str | os.PathLike[str], kind: str) -> Found:
    """Zeek's logs of names below ``directory`` now, ``dns`` or ``ssl``; and those that are not read, with the reason.

    Raises:
        NoDirectoryError: it does not exist, or can't be read.
        NoFilesError: it holds none.
        ChangedError: files keep coming and going while the directory is scanned.
    """
    root = Path(directory).expanduser().absolute()
    if not root.is_dir():
        raise NoDirectoryError(f"{root} is not a directory: flow files are looked for there")
    files, passed_over = _settled(root, NAME_LOGS[kind].match, lambda _: None)
    if not files:
        more = f"; not read: {passed_over[0][0]} ({passed_over[0][1]})" if passed_over else ""
        raise NoFilesError(f"{root} holds no {kind}.log, as Zeek writes it{more}")
    return files, passed_over


Found = tuple[tuple[SourceFile, ...], tuple[tuple[str, str], ...]]


def _settled(
    root: Path, reads: Callable[[str], object] = form_of_name, why: Callable[[str], str | None] = why_not
) -> Found:
    """The files below ``root``; a log renamed during the walk, as in a rotation, counts exactly once."""
    for _ in range(ATTEMPTS):
        try:
            return _Scan(root, reads, why).run()
        except FileNotFoundError:
            continue
    raise ChangedError(f"the files below {root} keep changing while they are listed; ask again")


class _Scan:
    """One walk through a directory: which names are read, and why others are not."""

    def __init__(self, root: Path, reads: Callable[[str], object], why: Callable[[str], str | None]) -> None:
        self._root, self._reads, self._why = root, reads, why
        self._files: list[SourceFile] = []
        self._seen: set[tuple[int, int]] = set()
        self._passed_over: list[tuple[str, str]] = []

    def run(self) -> Found:
        """What there is."""
        try:
            self._walk(str(self._root))
        except PermissionError as error:
            raise NoDirectoryError(f"{error.filename} can't be read: {error.strerror}") from error
        files = tuple(sorted(self._files, key=lambda file: file.path))
        return files, tuple(sorted(self._passed_over))

    def _walk(self, folder: str) -> None:
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in self._seen:
            return
        self._seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            # Links come last, so that a target in this directory keeps its own name.
            found = sorted((one.is_symlink(), one.name, one) for one in entries if not one.name.startswith("."))
        for is_link, name, entry in found:
            if _is_directory(entry):
                self._enter(entry)
            elif self._reads(name) is not None:
                self._add(entry.path, is_link)
            elif reason := self._why(name):
                self._pass_over(entry.path, reason)
            elif is_link and "." not in name and not os.path.exists(entry.path):
                self._pass_over(entry.path, _dangling(entry.path))

    def _enter(self, entry: os.DirEntry[str]) -> None:
        try:
            self._walk(entry.path)
        except FileNotFoundError:
            raise
        except OSError as error:
            self._pass_over(entry.path, f"can't be read ({error.strerror})")

    def _add(self, path: str, is_link: bool) -> None:
        try:
            file = SourceFile.at(path)
        except UnreadableError as error:
            return self._pass_over(path, str(error).removeprefix(f"{path}: "))
        except FileNotFoundError:
            if not is_link:
                raise
            return self._pass_over(path, _dangling(path))
        except OSError as error:
            return self._pass_over(path, f"can't be read ({error.strerror})")
        if file.identity in self._seen:
            return None
        self._seen.add(file.identity)
        if file.size == 0:
            return self._pass_over(path, "is empty")
        # What everybody may read needs no question of its own: of ten thousand files that is a tenth of the scan.
        if file.mode & _READABLE != _READABLE and not os.access(path, os.R_OK):
            return self._pass_over(path, "can't be read (Permission denied)")
        self._files.append(file)
        return None

    def _pass_over(self, path: str, reason: str) -> None:
        self._passed_over.append((os.path.relpath(path, self._root), reason))


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a circular link: skipped like a file


def _dangling(path: str) -> str:
    try:
        return f"is a link to {os.readlink(path)}, which is not there"
    except OSError:
        return "is a link that leads nowhere"


def _without_mixture(root: Path, files: tuple[SourceFile, ...], passed_over: tuple[tuple[str, str], ...]) -> Found:
    """Captures must be alone: beside other files they are skipped, because their flows may be the same."""
    # A name is looked at closely only if it may be a capture's: of ten thousand files that is a fifth of the scan.
    packets = [file for file in files if "cap" in file.path and form_of(file) is Form.CAPTURE]
    if not packets or len(packets) == len(files):
        return files, passed_over
    reason = "a capture beside other flow files, whose flows may be the same; make its directory a source of its own"
    more = tuple((os.path.relpath(file.path, root), reason) for file in packets)
    rest = tuple(file for file in files if form_of(file) is not Form.CAPTURE)
    return rest, tuple(sorted((*passed_over, *more)))


def directory_of(name: str) -> str:
    """The directory of the source called ``name``: ``default``, or a key of ``[plugins.flow.directories]``.

    Raises:
        NoDirectoryError: no directory is configured.
        UnknownSourceError: nothing is configured under that name.
    """
    settings = flow_settings()
    if name == "default":
        directory = os.environ.get("RAVE_FLOW_DIRECTORY") or settings.directory
        if not directory:
            raise NoDirectoryError(
                "where the flow files are is not configured: set the environment variable RAVE_FLOW_DIRECTORY, "
                'or directory = "…" under [plugins.flow] in rave.toml'
            )
        return directory
    named = settings.directories
    if name not in named:
        known = ", ".join(["default", *sorted(named)])
        raise UnknownSourceError(f"no flow source is called {name!r} in [plugins.flow.directories]; known: {known}")
    return str(named[name])
