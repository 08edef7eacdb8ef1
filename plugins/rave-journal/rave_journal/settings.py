"""The settings of this package: the table ``[plugins.journal]``."""

# ruff: noqa: RUF009  # a Setting is a descriptor, made to be shared as the default of its field
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rave_core.documents import DocumentStore
from rave_core.errors import ConfigurationError, nearest
from rave_core.settings import PluginSettings, Table, Words
from rave_journal.journal import Journal
from rave_journal.validation import Find, not_served, operation_check, schema_check

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class JournalSettings(PluginSettings):
    """The checked content of ``[plugins.journal]``.

    Attributes:
        journals: the names of the journals. The first one is the default: it also answers at ``/-/journal``.
        checks: for a journal, the operation (``namespace/operation``) that checks payloads of new commits.
        schemas: for a journal, the file of a JSON Schema that payloads of new commits have to fit.

    Raises:
        ConfigurationError: a value is wrong; the message says what would be right.
    """

    plugin = "journal"
    journals: Words = Words(("journal",))
    checks: Table = Table(dict)
    schemas: Table = Table(dict)

    def check(self, origin: str) -> None:
        """Returns if the names can be names of journals, and every check belongs to one."""
        self._check_names(origin)
        self._check_tables(origin)

    @property
    def default(self) -> str:
        """The name of the default journal."""
        return self.journals[0]

    def _check_names(self, origin: str) -> None:
        if not self.journals:
            raise ConfigurationError(f"{origin}: journals is empty: name at least one, such as 'journal'")
        for name in self.journals:
            if not _NAME.fullmatch(name):
                raise ConfigurationError(
                    f"{origin}: journals has {name!r}: expected up to 64 letters, digits, '-', '_' and '.'"
                )

    def _check_tables(self, origin: str) -> None:
        wanted = {"checks": "the name of an operation, such as 'lab/check'", "schemas": "the path of a JSON Schema"}
        for table, words in wanted.items():
            for name, value in getattr(self, table).items():
                if name not in self.journals:
                    raise ConfigurationError(
                        f"{origin}: {table} names the journal {name!r}; {nearest(name, self.journals)}"
                    )
                if not isinstance(value, str):
                    raise ConfigurationError(f"{origin}: {table}.{name} is {value!r}: write {words}")

    def journal(self, name: str, store: Callable[[], DocumentStore], find: Find = not_served) -> Journal:
        """A journal, with the checks of its payloads.

        Args:
            name: of the journal.
            store: gives the document store, when it is first needed.
            find: gives the operation of a name, when it first checks a payload.

        Raises:
            ConfigurationError: its JSON Schema can't be used.
        """
        path, operation = self.schemas.get(name), self.checks.get(name)
        checks = [] if path is None else [schema_check(Path(str(path)).expanduser())]
        if operation is not None:
            checks.append(operation_check(str(operation), find))
        return Journal(name, store, checks)
