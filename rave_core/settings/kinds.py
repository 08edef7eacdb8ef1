"""The types of settings: descriptors that convert or refuse the values of ``Settings`` fields."""

from __future__ import annotations

import copy
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar, cast, overload

from rave_core.errors import ConfigurationError
from rave_core.settings.sources import working_directory
from rave_core.text.durations import parse_duration
from rave_core.text.secrets import without_secrets

Given = TypeVar("Given", contravariant=True)
Kept = TypeVar("Kept", covariant=True)


class Setting(ABC, Generic[Given, Kept]):
    """One setting: a data descriptor that converts on assignment and gives the converted value.

    It is the default value of its own dataclass field. Its owner keeps ``origins``, a dict
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
            raise ConfigurationError(f"{origin}: {self.name!r} is {without_secrets(f'{value!r}: {error}')}") from error

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
        kept = self.checked(self.default() if is_default else value, working_directory(), "settings")
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
        """A non-empty text, without surrounding blanks."""
        if isinstance(value, str) and value.strip():
            return value.strip()
        raise self.refusal()


class Text(Setting[str, str]):
    """Any text; empty for none."""

    wanted = "a text"

    def convert(self, value: object, _directory: Path, /) -> str:
        """The text, without surrounding blanks."""
        if isinstance(value, str):
            return value.strip()
        raise self.refusal()


class Choice(Setting[str, str]):
    """One of a few words."""

    def __init__(self, default: str, *words: str) -> None:
        super().__init__(default)
        self.words = words

    def convert(self, value: object, _directory: Path, /) -> str:
        """The word."""
        if value in self.words:
            return str(value)
        raise ValueError(f"write one of {', '.join(map(repr, self.words))}")


class Count(Setting["int | str", int]):
    """A whole number, at least ``least``, and at most ``most`` if that is not ``None``."""

    wanted = "a whole number"

    def __init__(self, default: int, *, least: int = 1, most: int | None = None) -> None:
        super().__init__(default)
        self.least = least
        self.most = most

    def convert(self, value: object, _directory: Path, /) -> int:
        """The number."""
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise self.refusal()
        try:
            number = int(value)
        except ValueError:
            raise self.refusal() from None
        if number < self.least:
            raise ValueError(f"write a whole number, {self.least} at least")
        if self.most is not None and number > self.most:
            raise ValueError(f"write a whole number from {self.least} to {self.most}")
        return number


class Size(Setting["int | str", int]):
    """A number of bytes, more than 0."""

    wanted = "a size such as '64MiB' or a number of bytes"

    def convert(self, value: object, _directory: Path, /) -> int:
        """Bytes of a number, or of a text as ``parse_size`` reads it."""
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise self.refusal()
        from rave_core.backend import parse_size  # only here: few settings are sizes, and it is slow to import

        return parse_size(str(value))


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


class Words(Setting["str | Iterable[str]", "tuple[str, ...]"]):
    """Names; one alone needs no list."""

    wanted = "a list of names"

    def convert(self, value: object, _directory: Path, /) -> tuple[str, ...]:
        """The names, in order."""
        words = listed(value, self.wanted)
        if all(isinstance(word, str) and word.strip() for word in words):
            return tuple(words)
        raise self.refusal()

    def read(self, text: str) -> object:
        """The names between blanks."""
        return text.split()


class Tables(Setting["Mapping[str, Mapping[str, object]]", "Mapping[str, Mapping[str, object]]"]):
    """Names and a free-form table for each."""

    wanted = "a table of tables, [plugins.NAME]"
    in_environment = False

    def convert(self, value: object, _directory: Path, /) -> Mapping[str, Mapping[str, object]]:
        """A deep copy."""
        if isinstance(value, Mapping) and all(isinstance(table, Mapping) for table in value.values()):
            return {key_of(name, self.wanted): dict(copy.deepcopy(table)) for name, table in value.items()}
        raise self.refusal()


class Table(Setting["Mapping[str, object]", "Mapping[str, object]"]):
    """A free-form table."""

    wanted = "a table"
    in_environment = False

    def convert(self, value: object, directory: Path, /) -> Mapping[str, object]:
        """A deep copy."""
        if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
            return dict(copy.deepcopy(value))
        raise self.refusal()


LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
"""The levels of the log, the most talkative first."""


class Levels(Setting["Mapping[str, str]", "Mapping[str, str]"]):
    """Loggers and the level of each."""

    wanted = 'a table of loggers and levels, such as "rave_flow" = "DEBUG"'
    in_environment = False

    def convert(self, value: object, _directory: Path, /) -> Mapping[str, str]:
        """Levels in capitals, by the name of the logger."""
        if not isinstance(value, Mapping):
            raise self.refusal()
        levels = {key_of(name, self.wanted): str(level).upper() for name, level in value.items()}
        for name, level in levels.items():
            if level not in LEVELS:
                raise ValueError(f"the level of {name!r} is {level!r}: write one of {', '.join(LEVELS)}")
        return levels


def listed(value: object, wanted: str) -> list[Any]:
    """The items of a list; one alone needs none.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, (str, os.PathLike)):
        return [value]
    if isinstance(value, Iterable) and not isinstance(value, (bytes, Mapping)):
        return list(value)
    raise ValueError(f"write {wanted}")


def key_of(name: object, wanted: str) -> str:
    """A name of a table's entry.

    Raises:
        ValueError: it is no text, or empty.
    """
    if isinstance(name, str) and name:
        return name
    raise ValueError(f"{name!r} is not a name: write {wanted}")
