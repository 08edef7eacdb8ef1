"""The types of settings: descriptors that convert what a field of ``Settings`` is given, or refuse it."""

from __future__ import annotations

import copy
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeAlias, TypeVar, cast, overload
from urllib.parse import quote, unquote

from rave_core.durations import parse_duration
from rave_core.errors import ConfigurationError

Given = TypeVar("Given", contravariant=True)
Kept = TypeVar("Kept", covariant=True)
PathText: TypeAlias = "str | os.PathLike[str]"
Several: TypeAlias = "PathText | Iterable[PathText]"


class Setting(ABC, Generic[Given, Kept]):
    """One setting: a data descriptor that converts on assignment and gives the converted value.

    It stands as the default value of its own dataclass field. Its owner keeps ``origins``, a dict
    from the names of settings to words saying where the value came from.

    Attributes:
        wanted: What would be right, for messages.
        listed: What separates the values in an environment variable: ``None`` for blanks.
        in_environment: Whether a variable can carry it.
    """

    wanted: ClassVar[str]
    listed: ClassVar[str | None] = None
    in_environment: ClassVar[bool] = True

    def __init__(self, default: object | Callable[[], object]) -> None:
        self._default = default
        self.name = ""

    @abstractmethod
    def convert(self, value: object, directory: Path, /) -> Kept:
        """The value as it is kept; relative paths in it start at ``directory``.

        Raises:
            ValueError: it can't be one; the message says what would be right.
        """

    def refusal(self) -> ValueError:
        """The error for a value of another type."""
        return ValueError(f"write {self.wanted}")

    def read(self, text: str) -> object:
        """What the text of an environment variable gives; still to be converted."""
        return text

    def default(self) -> object:
        """The default, computed now; still to be converted."""
        return self._default() if callable(self._default) else self._default

    def checked(self, value: object, directory: Path, origin: str) -> Kept:
        """Like ``convert``, for a value that came from ``origin``.

        Raises:
            ConfigurationError: it can't be one; the message names origin and setting.
        """
        try:
            return self.convert(value, directory)
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"{origin}: {self.name!r} is {value!r}: {error}") from error

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Kept: ...
    def __get__(self, instance: object, owner: type) -> object:
        return self if instance is None else instance.__dict__[self.name]

    def __set__(self, instance: object, value: Given) -> None:
        is_default = cast("object", value) is self
        kept = self.checked(self.default() if is_default else value, Path.cwd(), "settings")
        instance.__dict__[self.name] = kept
        instance.__dict__["origins"][self.name] = "default" if is_default else "given"

    def __repr__(self) -> str:
        return f"<default {self.name}>"


class Flag(Setting[bool, bool]):
    """True or false."""

    wanted = "true or false"

    def convert(self, value: object, _directory: Path, /) -> bool:
        """Booleans only, as they are."""
        if isinstance(value, bool):
            return value
        raise self.refusal()

    def read(self, text: str) -> object:
        """``1 true yes on`` and ``0 false no off`` in any case; anything else is left to be refused."""
        words = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(("0", "false", "no", "off"), False)
        return words.get(text.strip().lower(), text)


class Word(Setting[str, str]):
    """A name."""

    wanted = "a name, not empty"

    def convert(self, value: object, _directory: Path, /) -> str:
        """A text with something in it, without the blanks around it."""
        if isinstance(value, str) and value.strip():
            return value.strip()
        raise self.refusal()


class Duration(Setting["str | float", float]):
    """A length of time in seconds, more than 0 or, with ``zero``, at least 0."""

    wanted = "a duration such as '90s', '2h30m' or a number of seconds"

    def __init__(self, default: float, *, zero: bool = False) -> None:
        super().__init__(default)
        self.zero = zero

    def convert(self, value: object, _directory: Path, /) -> float:
        """Seconds of a number, or of a text as ``parse_duration`` reads it."""
        seconds = parse_duration(cast("str | float", value))
        if seconds or self.zero:
            return seconds
        raise ValueError("write a duration of more than 0 seconds")


class OptionalDuration(Setting["str | float | None", "float | None"]):
    """A length of time in seconds, at least 0, or ``None``, which is written ``"never"`` in files and variables."""

    wanted = f"{Duration.wanted}, or 'never'"

    def convert(self, value: object, _directory: Path, /) -> float | None:
        """Seconds, or ``None``."""
        return None if value is None or value == "never" else parse_duration(cast("str | float", value))


class File(Setting["PathText | None", "str | None"]):
    """The absolute path of a file, or ``None``."""

    wanted = "the path of a file"

    def convert(self, value: object, directory: Path, /) -> str | None:
        """The path, ``~`` expanded, relative to ``directory``."""
        return None if value is None else _located(value, directory, self.wanted)


class Words(Setting["str | Iterable[str]", "tuple[str, ...]"]):
    """Names; one alone needs no list."""

    wanted = "a list of names"

    def convert(self, value: object, _directory: Path, /) -> tuple[str, ...]:
        """The names, in order."""
        words = _listed(value, self.wanted)
        if all(isinstance(word, str) and word.strip() for word in words):
            return tuple(words)
        raise self.refusal()

    def read(self, text: str) -> object:
        """The names between blanks."""
        return text.split()


class Files(Setting[Several, "tuple[str, ...]"]):
    """Absolute paths of files; one alone needs no list."""

    wanted = "a list of paths of files"

    def convert(self, value: object, directory: Path, /) -> tuple[str, ...]:
        """The paths, ``~`` expanded, relative to ``directory``."""
        return tuple(_located(path, directory, self.wanted) for path in _listed(value, self.wanted))

    def read(self, text: str) -> object:
        """The paths between colons, as in ``PATH``."""
        return [path for path in text.split(os.pathsep) if path]


class URLs(Setting[Several, "tuple[str, ...]"]):
    """URLs of backends, the nearest first; one alone needs no list, a ``Path`` means its ``file://`` URL."""

    wanted = "URLs such as 'memory://' or 'file:///var/cache/rave', at least one"

    def convert(self, value: object, directory: Path, /) -> tuple[str, ...]:
        """The URLs, those of files made absolute."""
        urls = tuple(_absolute_url(url, directory) for url in _listed(value, self.wanted))
        if urls:
            return urls
        raise self.refusal()

    def read(self, text: str) -> object:
        """The URLs between blanks."""
        return text.split()


class Directories(Setting["Mapping[str, PathText]", "Mapping[str, str]"]):
    """Names and the absolute directories that they stand for."""

    wanted = "a table of names and directories"
    in_environment = False

    def convert(self, value: object, directory: Path, /) -> Mapping[str, str]:
        """A copy, with ``~`` expanded and paths relative to ``directory``."""
        if not isinstance(value, Mapping):
            raise self.refusal()
        return {_key(name, self.wanted): _located(path, directory, self.wanted) for name, path in value.items()}


class Tables(Setting["Mapping[str, Mapping[str, object]]", "Mapping[str, Mapping[str, object]]"]):
    """Names and a free-form table for each."""

    wanted = "a table of tables, [plugins.NAME]"
    in_environment = False

    def convert(self, value: object, _directory: Path, /) -> Mapping[str, Mapping[str, object]]:
        """A deep copy."""
        if isinstance(value, Mapping) and all(isinstance(table, Mapping) for table in value.values()):
            return {_key(name, self.wanted): dict(copy.deepcopy(table)) for name, table in value.items()}
        raise self.refusal()


def _listed(value: object, wanted: str) -> list[Any]:
    if isinstance(value, (str, os.PathLike)):
        return [value]
    if isinstance(value, Iterable) and not isinstance(value, (bytes, Mapping)):
        return list(value)
    raise ValueError(f"write {wanted}")


def _key(name: object, wanted: str) -> str:
    if isinstance(name, str) and name:
        return name
    raise ValueError(f"{name!r} is no name: write {wanted}")


def _located(path: object, directory: Path, wanted: str) -> str:
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(text, str) or not text.strip() or "\0" in text:
        raise ValueError(f"{path!r} is no path: write {wanted}")
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
        raise ValueError(f"{url!r} is no URL: write {URLs.wanted}")
    return str(url) if scheme.lower() != "file" else _absolute_file_url(rest, directory)


def _absolute_file_url(rest: str, directory: Path) -> str:
    path, mark, query = rest.partition("?")
    path = path.removeprefix("localhost")
    if not path.startswith(("/", "~", "./", "../")) and path != ".":
        raise ValueError(
            f"'file://{rest}' names a host, not a path: write file:///{path or 'path'}, file://~/{path} or file://./{path}"
        )
    located = _located(unquote(path), directory, URLs.wanted)
    return f"file://{quote(located)}{mark}{query}"
