"""Where flow files lie: a directory, seen at one moment."""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from rave_flow.errors import (
    AmbiguousFilesError,
    ChangedError,
    NoDirectoryError,
    NoFilesError,
    UnknownSourceError,
    UnreadableError,
)

READ = re.compile(
    r"^(?P<stem>conn(?!-summary).*)\.(?:log|json)(?:\.gz|\.zst)?$|^(?P<table>.+)\.(?:csv|csv\.gz|csv\.zst|parquet)$"
    r"|^(?P<netflow>nfcapd\.\d{8,14})$|^(?P<packets>.+)\.(?:pcap|pcapng|cap)(?:\.gz|\.zst)?$"
)
"""File names that are read."""

KNOWN = "conn*.log, conn*.json, *.csv (or these with .gz, .zst), *.parquet, nfcapd.*, *.pcap, *.pcapng"
"""The same, in words."""

REFUSED = re.compile(r"^(?:conn(?!-summary).*\.(?:log|json)|.+\.csv)\.(?:bz2|lz4|xz|zip)$")
"""File names that hold flows which can't be read: passing over them would give wrong numbers."""


ATTEMPTS = 5


class Form(enum.Enum):
    """What a file is, by its name."""

    ZEEK = "zeek"
    CSV = "csv"
    PARQUET = "parquet"
    NETFLOW = "netflow"
    CAPTURE = "capture"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file as it was when the directory was scanned; another size or time makes it another file.

    Attributes:
        path: absolute.
        mtime_ns: time of last modification, in nanoseconds.
    """

    path: str
    size: int
    mtime_ns: int

    @classmethod
    def at(cls, path: Path) -> SourceFile:
        """The file at ``path``, now.

        Raises:
            OSError: there is none.
        """
        status = path.stat()
        return cls(str(path), status.st_size, status.st_mtime_ns)

    @property
    def name(self) -> str:
        """The file's name and its folder's, for messages."""
        return "/".join(Path(self.path).parts[-2:])


def form_of(file: SourceFile) -> Form:
    """What the file is: one of those that `READ` has."""
    found = READ.match(Path(file.path).name)
    if found and found["netflow"]:
        return Form.NETFLOW
    if found and found["packets"]:
        return Form.CAPTURE
    if found and found["table"]:
        return Form.PARQUET if file.path.endswith(".parquet") else Form.CSV
    return Form.ZEEK


@dataclass(frozen=True, slots=True)
class Repository:
    """The flow files of a directory at one moment, by path.

    As an argument of an operation it stands for what the directory held: a new, changed or removed
    file makes another key.
    """

    directory: str
    files: tuple[SourceFile, ...]

    @classmethod
    def scan(cls, directory: str | os.PathLike[str]) -> Self:
        """The flow files below ``directory`` now; hidden files and folders do not count.

        Raises:
            NoDirectoryError: it does not exist, or can't be read.
            NoFilesError: it holds no file that is read.
            AmbiguousFilesError: one log lies there in two forms, or captures lie beside other files.
            UnreadableError: a log is compressed in a way that is not read.
            ChangedError: files keep coming and going while the directory is scanned.
        """
        root = Path(directory).expanduser().absolute()
        if not root.is_dir():
            raise NoDirectoryError(f"{root} is no directory: flow files are looked for there")
        files = _settled(root)
        _refuse_doubles(Path(file.path) for file in files)
        _refuse_mixture(root, files)
        if not files:
            raise NoFilesError(f"{root} holds no flow files: {KNOWN}")
        return cls(str(root), files)


def _settled(root: Path) -> tuple[SourceFile, ...]:
    """The files below ``root``; a log that is renamed meanwhile, as in a rotation, is neither lost nor twice."""
    for _ in range(ATTEMPTS):
        try:
            return tuple(SourceFile.at(path) for path in sorted(_flow_files(root)))
        except FileNotFoundError:
            continue
    raise ChangedError(f"the files below {root} keep coming and going while they are listed; ask again")


def _flow_files(root: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise NoDirectoryError(f"{error.filename} can't be read: {error.strerror}") from error

    for folder, folders, names in os.walk(root, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if REFUSED.match(name):
                raise UnreadableError(
                    f"{Path(folder, name)}: of compressed flow files only .gz and .zst are read; recompress it"
                )
            if READ.match(name) and not name.startswith("."):
                yield Path(folder, name)


def _refuse_mixture(root: Path, files: tuple[SourceFile, ...]) -> None:
    found = [(file, READ.match(Path(file.path).name)) for file in files]
    packets = [file for file, match in found if match and match["packets"]]
    if packets and len(packets) < len(files):
        raise AmbiguousFilesError(
            f"{root} holds captures ({packets[0].name}) beside other flow files: their flows may be the same ones; "
            "keep one kind there, and name the other directory as a source of its own"
        )


def _refuse_doubles(paths: Iterable[Path]) -> None:
    seen: dict[tuple[Path, str], Path] = {}
    for path in paths:
        found = READ.match(path.name)
        key = (path.parent, next(filter(None, found.groups())) if found else path.name)
        if key in seen:
            raise AmbiguousFilesError(f"{seen[key]} and {path.name} look like one log twice: keep one of them")
        seen[key] = path


def locate(name: str, settings: Any) -> str:
    """The directory of the source called ``name``.

    Args:
        name: ``default``, or a key of the table ``directories`` in ``settings``.
        settings: the table ``[plugins.flow]``: ``directory``, and ``directories`` by name.

    Raises:
        NoDirectoryError: no directory is configured.
        UnknownSourceError: nothing is configured under that name.
    """
    if name == "default":
        directory = os.environ.get("RAVE_FLOW_DIRECTORY") or settings.get("directory")
        if not directory:
            raise NoDirectoryError(
                "where the flow files are is not configured: set the environment variable RAVE_FLOW_DIRECTORY, "
                'or directory = "…" under [plugins.flow] in rave.toml'
            )
        return str(directory)
    named = settings.get("directories", {})
    if name not in named:
        known = ", ".join(["default", *sorted(named)])
        raise UnknownSourceError(f"no flow source is called {name!r} in [plugins.flow.directories]; known: {known}")
    return str(named[name])
