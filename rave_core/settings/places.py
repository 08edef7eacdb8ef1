"""The types of settings that name places: files, directories and stores."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote, unquote

from rave_core.settings.kinds import Setting, key_of, listed
from rave_core.text.secrets import without_secrets

_SHARE = 20
_LEAST = 64

PathText: TypeAlias = "str | os.PathLike[str]"
Several: TypeAlias = "PathText | Iterable[PathText]"


class File(Setting["PathText | None", "str | None"]):
    """The absolute path of a file, or ``None``."""

    wanted = "the path of a file"

    def convert(self, value: object, directory: Path, /) -> str | None:
        """The path, ``~`` expanded, relative to ``directory``."""
        return None if value is None else _located(value, directory, self.wanted)


class Files(Setting[Several, "tuple[str, ...]"]):
    """Absolute paths of files; one alone needs no list."""

    wanted = "a list of paths of files"

    def convert(self, value: object, directory: Path, /) -> tuple[str, ...]:
        """The paths, ``~`` expanded, relative to ``directory``."""
        return tuple(_located(path, directory, self.wanted) for path in listed(value, self.wanted))

    def read(self, text: str) -> object:
        """The paths between colons, as in ``PATH``."""
        return [path for path in text.split(os.pathsep) if path]


class URLs(Setting[Several, "tuple[str, ...]"]):
    """URLs of backends, the nearest first; one alone needs no list, a ``Path`` means its ``file://`` URL."""

    wanted = "URLs such as 'memory://' or 'file:///var/cache/rave', at least one"

    def convert(self, value: object, directory: Path, /) -> tuple[str, ...]:
        """The URLs, those of files made absolute."""
        urls = tuple(_absolute_url(url, directory) for url in listed(value, self.wanted))
        if urls:
            return urls
        raise self.refusal()

    def read(self, text: str) -> object:
        """The URLs between blanks."""
        return text.split()


class DocumentsURL(Setting[PathText, str]):
    """The URL of the document store; a path means an SQLite file there."""

    wanted = "a URL such as 'sqlite:////var/lib/rave/documents.sqlite' or 'postgresql+psycopg://user@host/database'"

    def convert(self, value: object, directory: Path, /) -> str:
        """The URL, the path of an SQLite file made absolute."""
        if isinstance(value, os.PathLike):
            return sqlite_url(_located(value, directory, self.wanted))
        scheme, colon, rest = value.strip().partition("://") if isinstance(value, str) else ("", "", "")
        if not colon or not scheme:
            raise self.refusal()
        if scheme.lower() != "sqlite":
            return f"{scheme}://{rest}"
        path, mark, query = rest.partition("?")
        if not path.startswith("/") or len(path) == 1:
            raise ValueError(
                f"{without_secrets(f'sqlite://{rest}')!r} names no file: write sqlite:////absolute/path or sqlite:///path"
            )
        return f"{sqlite_url(_located(path[1:], directory, self.wanted))}{mark}{query}"


class Directories(Setting["Mapping[str, PathText]", "Mapping[str, str]"]):
    """Names and the absolute directories that they stand for."""

    wanted = "a table of names and directories"
    in_environment = False

    def convert(self, value: object, directory: Path, /) -> Mapping[str, str]:
        """A copy, with ``~`` expanded and paths relative to ``directory``."""
        if not isinstance(value, Mapping):
            raise self.refusal()
        return {key_of(name, self.wanted): _located(path, directory, self.wanted) for name, path in value.items()}


def default_store(directory: Path) -> str:
    """The URL of the user's default store: at most a twentieth of its disk, in whole MiB."""
    place = directory
    while not os.path.isdir(place) and place != place.parent:  # a directory that can't be entered counts as none
        place = place.parent
    try:
        size = shutil.disk_usage(place).total // _SHARE >> 20
    except OSError:
        size = 0
    return f"file://{quote(str(directory))}?max_bytes={max(size, _LEAST)}MiB"


def sqlite_url(path: str | os.PathLike[str]) -> str:
    """The URL of an SQLite file, as SQLAlchemy reads it: the path is not quoted, so it has no question mark.

    Raises:
        ValueError: it has one.
    """
    text = os.fspath(path)
    if "?" in text:
        raise ValueError(f"{text!r} has a question mark: an SQLite file in a URL can't")
    return f"sqlite:///{text}"


def _located(path: object, directory: Path, wanted: str) -> str:
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise ValueError(f"{path!r} is not a path: write {wanted}")
    return os.path.normpath(directory / _at_home(text))


def _at_home(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{text!r} starts at a home directory that is unknown") from error


def _absolute_url(url: object, directory: Path) -> str:
    if isinstance(url, os.PathLike):
        return f"file://{quote(_located(url, directory, URLs.wanted))}"
    scheme, colon, rest = url.partition("://") if isinstance(url, str) else ("", "", "")
    if not colon or not scheme or any(blank in rest for blank in "\t\r\n"):
        raise ValueError(f"{without_secrets(str(url))!r} is not a URL: write {URLs.wanted}")
    return str(url) if scheme.lower() != "file" else _absolute_file_url(rest, directory)


def _absolute_file_url(rest: str, directory: Path) -> str:
    path, mark, query = rest.partition("?")
    path = path.removeprefix("localhost")
    if not path.startswith(("/", "~", "./", "../")) and path != ".":
        plain = path.rpartition("@")[2]
        raise ValueError(
            f"{without_secrets(f'file://{rest}')!r} names a host, not a path: write file:///{plain or 'path'}, "
            f"file://~/{plain} or file://./{plain}"
        )
    located = _located(unquote(path), directory, URLs.wanted)
    return f"file://{quote(located)}{mark}{query}"
