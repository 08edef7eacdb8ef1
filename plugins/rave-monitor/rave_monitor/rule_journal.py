"""Rules of alarms out of a journal: each document is an alarm, under its name."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from rave_core import Runtime
from rave_core.documents import Document, Mirror
from rave_core.errors import RaveError, describe_error
from rave_monitor.alarm import Alarm
from rave_monitor.alarm_tables import read_alarm
from rave_monitor.configuration import MonitorConfig
from rave_monitor.sample_history import NAME

_PAUSE: Final = 5.0
"""Seconds between attempts while the documents are away."""
_VERSIONS: Final = 20
"""How many versions of a document are tried until one is right."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a journal.

    Attributes:
        alarms: in the order of their names.
        mistakes: what is wrong with documents, each in one line.
    """

    alarms: tuple[Alarm, ...]
    mistakes: tuple[str, ...]


class RuleJournal:
    """Follows the documents of a journal. One thread uses it.

    A document with a mistake changes nothing: the version before it goes on, and the mistake is told.

    Attributes:
        trouble: why the rules are not known, or not followed at present; ``None`` while all is well.
    """

    def __init__(self, journal: str, runtime: Runtime) -> None:
        """Reads nothing yet."""
        self.trouble: str | None = None
        self._journal, self._collection, self._runtime = journal, f"journal:{journal}", runtime
        self._mirror: Mirror | None = None
        self._is_changed, self._due = True, 0.0

    def news(self, config: MonitorConfig) -> Rules | None:
        """The rules, if they have changed since the last time; else ``None``. Reads no database while nothing did."""
        clock = self._runtime.clock
        if clock.monotonic() < self._due:
            return None
        try:
            if self._mirror is None:
                self._mirror = Mirror(self._runtime.documents, [self._collection], on_change=self._note)
            self.trouble = self._mirror.trouble
            if not self._is_changed:
                return None
            self._is_changed = False
            return self._read(self._mirror, config)
        except RaveError as error:
            self._is_changed, self._due = True, clock.monotonic() + _PAUSE
            self.trouble = f"the rules in the journal {self._journal!r} can't be read: {describe_error(error)}"
            return None

    def close(self) -> None:
        """Ends following."""
        if self._mirror is not None:
            self._mirror.close()

    def _note(self, _change: object) -> None:
        self._is_changed = True

    def _read(self, mirror: Mirror, config: MonitorConfig) -> Rules:
        alarms, mistakes = list[Alarm](), list[str]()
        for document in mirror.documents(self._collection):
            alarm, wrong = self._alarm(document, config)
            mistakes += [f"rule {document.metadata.key!r}: {each}" for each in wrong]
            alarms += [] if alarm is None else [alarm]
        return Rules(tuple(alarms), tuple(mistakes))

    def _alarm(self, newest: Document, config: MonitorConfig) -> tuple[Alarm | None, list[str]]:
        """The alarm of the newest version that is right, and what is wrong with the newest."""
        alarm, wrong = rule_of(newest, config)
        key, version = newest.metadata.key, newest.metadata.version
        for earlier in range(version - 1, max(version - _VERSIONS, 0), -1) if wrong else ():
            document = self._runtime.documents.get(self._collection, key, earlier)
            if document is None or document.metadata.empty:
                break
            found, mistakes = rule_of(document, config)
            if not mistakes:
                return found, [*wrong, f"version {earlier} goes on"]
        return alarm, wrong


def rule_of(document: Document, config: MonitorConfig) -> tuple[Alarm | None, list[str]]:
    """The alarm that a document describes, if it is right, and its mistakes."""
    name, wrong = document.metadata.key, list[str]()
    if not NAME.fullmatch(name):
        wrong.append("its key can't be the name of an alarm: expected up to 64 letters, digits, '-' and '_'")
    if name in {each.name for each in config.alarms}:
        wrong.append("the configuration has an alarm of this name")
    try:
        table = _table(document.payload or b"")
    except ValueError as error:
        return None, [*wrong, f"it is neither TOML nor JSON: {error}"]

    def note(message: str, key: str = "") -> None:  # noqa: ARG001  # a document is short: its keys need no lines
        wrong.append(message)

    alarm = read_alarm(table, name, _names(config.processors), _names(config.writers), note)
    return (None if wrong else alarm), wrong


def _table(payload: bytes) -> dict[str, Any]:
    """The table in a payload.

    Raises:
        ValueError: there is none.
    """
    text = payload.decode("utf-8")
    if not text.lstrip().startswith("{"):
        return tomllib.loads(text)
    found: dict[str, Any] = json.loads(text)
    return found


def _names(parts: Collection[Any]) -> list[str]:
    return [each.name for each in parts]
