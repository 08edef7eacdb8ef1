"""The configuration of a monitor: a TOML file, whose mistakes are all named at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from rave_core.errors import ConfigurationError, describe_error, nearest
from rave_core.expiry import parse_duration
from rave_core.settings import doubt
from rave_monitor.alarm import Alarm
from rave_monitor.alarm_tables import read_alarm
from rave_monitor.code_loading import load_anew
from rave_monitor.kinds import KindError, checked_arguments, find_kind
from rave_monitor.processor import Processor
from rave_monitor.reader import Reader
from rave_monitor.toml_lines import TomlLines
from rave_monitor.webhook import read_key
from rave_monitor.writer import Writer

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_GROUPS: Final[dict[str, type]] = {"readers": Reader, "processors": Processor, "writers": Writer}
_DURATIONS: Final = {"sample_period": "1s", "sample_limit": "10s", "thin_to": "1m"}
_OTHERS: Final = ("alarms", "documents", "keep", "name", "paths", "rules", "thin_after", "webhook_key_file")
_LONGEST: Final = 200


class MonitorConfigError(ConfigurationError):
    """A configuration has mistakes.

    Attributes:
        mistakes: each in one line, with the file and the line in it, in the order of lines.
    """

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class Part:
    """A reader, a processor or a writer, as configured.

    Attributes:
        kind: what it is.
        name: unique among the parts of its group.
        arguments: for the constructor of its class, converted.
        made_by: that class, as it was imported when the configuration was read.
    """

    kind: str
    name: str
    arguments: Mapping[str, Any]
    made_by: type = field(repr=False)

    def make(self) -> Any:
        """A new instance."""
        return self.made_by(**self.arguments)


@dataclass(frozen=True, kw_only=True)
class MonitorConfig:
    """A configuration without mistakes.

    Attributes:
        path: the file.
        name: of the monitor: what its samples are kept under, and what its processes compete to lead.
        sample_period: seconds from one sample to the next.
        sample_limit: seconds that one sample of a processor may take.
        keep: seconds after which samples are removed; ``None`` for never.
        thin_after: seconds after which only the first sample in each ``thin_to`` seconds stays; ``None`` for never.
        thin_to: seconds.
        documents: URL of the database for samples; ``None`` for the one of the settings.
        rules: the name of a journal with further alarms; ``None`` for none.
        readers, processors, writers, alarms: in their order.
        webhook_key: what webhooks are signed with; ``None`` for the signing key of the settings, if there is one.
    """

    path: Path
    name: str
    sample_period: float
    sample_limit: float
    keep: float | None
    thin_after: float | None
    thin_to: float
    documents: str | None
    rules: str | None
    readers: tuple[Part, ...]
    processors: tuple[Part, ...]
    writers: tuple[Part, ...]
    alarms: tuple[Alarm, ...]
    webhook_key: bytes | None = field(repr=False)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a configuration, and imports the code that it names afresh.

        Raises:
            MonitorConfigError: it can't be read, or has mistakes: the error names all of them.
        """
        path = path.absolute()
        try:
            text = path.read_text("utf-8")
            document = tomllib.loads(text)
        except OSError as error:
            raise MonitorConfigError([f"{path}: can't be read: {error.strerror}"]) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise MonitorConfigError([f"{path}: is no TOML: {error}"]) from error
        if reason := doubt(path):
            raise MonitorConfigError([f"{path}: is refused: {reason}"])
        reading = _Reading(path, document, TomlLines(text))
        values = load_anew(reading.code_directories(), reading.values)
        return cls(path=path, **values)


class _Reading:
    """Reads one document, and collects its mistakes."""

    def __init__(self, path: Path, document: dict[str, Any], lines: TomlLines) -> None:
        self._path, self._document, self._lines = path, document, lines
        self._mistakes: list[tuple[int, str]] = []

    def code_directories(self) -> list[Path]:
        """Where modules that the configuration names may lie, beside those that are installed."""
        paths = self._document.get("paths", ["."])
        given = [each for each in paths if isinstance(each, str)] if isinstance(paths, list) else []
        return [(self._path.parent / Path(each).expanduser()).resolve() for each in given]

    def values(self) -> dict[str, Any]:
        """All values.

        Raises:
            MonitorConfigError: there are mistakes.
        """
        known = {*_DURATIONS, *_GROUPS, *_OTHERS}
        for key in self._document.keys() - known:
            self._wrong(f"unknown key {key!r}; {nearest(key, known)}", key=key)
        values: dict[str, Any] = {
            "name": self._name(),
            **{key: self._duration(key, default) for key, default in _DURATIONS.items()},
            "keep": self._age("keep"),
            "thin_after": self._age("thin_after"),
            "documents": self._documents(),
            "rules": self._rules(),
            **{group: self._parts(group) for group in _GROUPS},
        }
        values["alarms"] = self._alarms(*([each.name for each in values[group]] for group in ("processors", "writers")))
        values["webhook_key"] = self._key()
        self._check_paths()
        if self._mistakes:
            found = sorted(self._mistakes)
            raise MonitorConfigError([f"{self._path}:{line}: {message}" for line, message in found])
        return values

    def _check_paths(self) -> None:
        paths = self._document.get("paths", [])
        if not isinstance(paths, list) or not all(isinstance(each, str) for each in paths):
            self._wrong(f"paths is {paths!r}: expected a list of directories", key="paths")

    def _wrong(self, message: str, table: str = "", index: int = 0, key: str = "") -> None:
        self._mistakes.append((self._lines.of(table, index, key), message))

    def _name(self) -> str:
        name = self._document.get("name", "monitor")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            self._wrong(f"name is {name!r}: expected up to 64 letters, digits, '-' and '_'", key="name")
        return str(name)

    def _rules(self) -> str | None:
        name = self._document.get("rules")
        if name is not None and (not isinstance(name, str) or not _NAME.fullmatch(name)):
            self._wrong(f"rules is {name!r}: expected the name of a journal, such as 'alarms'", key="rules")
        return name

    def _duration(self, key: str, default: str) -> float:
        value = self._document.get(key, default)
        try:
            seconds = parse_duration(value)
        except ValueError as error:
            self._wrong(f"{key}: {error}", key=key)
            return 1.0
        if not 0.01 <= seconds <= 86400:
            self._wrong(f"{key} is {value!r}: expected 0.01 s to 1 day", key=key)
        return seconds

    def _age(self, key: str) -> float | None:
        """An age of samples; ``None`` if it is not given."""
        value = self._document.get(key)
        if value is None or value == "never":
            return None
        try:
            seconds = parse_duration(value)
        except ValueError as error:
            self._wrong(f"{key}: {error}", key=key)
            return None
        if seconds < 60:
            self._wrong(f"{key} is {value!r}: expected at least 1 minute, or 'never'", key=key)
        return seconds

    def _documents(self) -> str | None:
        """The URL, the path of an SQLite file made absolute."""
        url = self._document.get("documents")
        if url is None:
            return None
        scheme, mark, rest = url.partition("://") if isinstance(url, str) else ("", "", "")
        if not mark or not scheme:
            self._wrong(f"documents is {url!r}: expected a URL such as 'sqlite:///monitor.sqlite'", key="documents")
        elif scheme == "sqlite":
            if len(rest) < 2:
                self._wrong(f"documents is {url!r}: it names no file", key="documents")
            return f"sqlite:///{self._path.parent / Path(rest[1:]).expanduser()}"
        return str(url)

    def _key(self) -> bytes | None:
        """What webhooks are signed with."""
        path = self._document.get("webhook_key_file")
        if path is None:
            return None
        try:
            key = read_key(self._path.parent / Path(str(path)).expanduser())
        except (OSError, ValueError) as error:
            self._wrong(f"webhook_key_file: {error}", key="webhook_key_file")
            return None
        return key

    def _alarms(self, processors: list[str], writers: list[str]) -> tuple[Alarm, ...]:
        tables, taken = self._tables("alarms"), dict[str, int]()
        return tuple(
            read_alarm(
                table,
                self._part_name("alarms", index, table, taken),
                processors,
                writers,
                lambda message, key="", index=index: self._wrong(message, "alarms", index, key),
            )
            for index, table in enumerate(tables)
        )

    def _tables(self, group: str) -> list[dict[str, Any]]:
        tables = self._document.get(group, [])
        if isinstance(tables, list) and all(isinstance(table, dict) for table in tables):
            return tables
        self._wrong(f"{group} is {str(tables)[:_LONGEST]!r}: write [[{group}]] above each of them", key=group)
        return []

    def _parts(self, group: str) -> tuple[Part, ...]:
        tables = self._tables(group)
        if not tables and group != "writers":
            self._wrong(f"there are no {group}: write [[{group}]] and a kind")
        parts, taken = [], dict[str, int]()
        for index, table in enumerate(tables):
            name = self._part_name(group, index, table, taken)
            part = self._part(group, index, table, name)
            if part is not None:
                parts.append(part)
        return tuple(parts)

    def _part_name(self, group: str, index: int, table: Mapping[str, Any], taken: dict[str, int]) -> str:
        """The name of a part. A processor has to have one; of a reader, it is the kind and the path by default."""
        name = table.get("name")
        if name is None and group == "readers":
            return self._free(group, index, f"{table.get('kind')}:{table.get('path', '')}".rstrip(":"), taken)
        if name is None:
            self._wrong(f'{"an" if group == "alarms" else "a"} {group[:-1]} has no name: add name = "…"', group, index)
            return ""
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            self._wrong(f"name is {name!r}: expected up to 64 letters, digits, '-' and '_'", group, index, "name")
            return ""
        return self._free(group, index, name, taken)

    def _free(self, group: str, index: int, name: str, taken: dict[str, int]) -> str:
        line = self._lines.of(group, index, "name")
        if name in taken:
            self._wrong(f"the name {name!r} is taken, in line {taken[name]}: give each its own", group, index, "name")
        taken.setdefault(name, line)
        return name

    def _part(self, group: str, index: int, table: dict[str, Any], name: str) -> Part | None:
        kind = table.get("kind")
        if not isinstance(kind, str):
            self._wrong(f'a {group[:-1]} has no kind: add kind = "…"', group, index)
            return None
        try:
            made_by: type = find_kind(group, kind, _GROUPS[group])
        except KindError as error:
            self._wrong(str(error), group, index, "kind")
            return None
        given = {key: value for key, value in table.items() if key not in ("kind", "name")}
        arguments, mistakes = checked_arguments(made_by, given, self._path.parent)
        for mistake in mistakes:
            self._wrong(f"{kind}: {mistake}", group, index, mistake.argument)
        part = Part(kind, name, arguments, made_by)
        return part if not mistakes and self._can_be_made(part, group, index) else None

    def _can_be_made(self, part: Part, group: str, index: int) -> bool:
        try:
            part.make()
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's constructor may raise anything
            told = error if isinstance(error, ValueError) else describe_error(error)
            self._wrong(f"{part.kind}: {told}", group, index)
            return False
        return True
