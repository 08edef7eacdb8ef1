"""The settings of this package: the table ``[plugins.journal]``."""

# ruff: noqa: RUF009  # a Setting is a descriptor, made to be shared as the default of its field
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from rave_core.documents import DocumentStore
from rave_core.errors import ConfigurationError, nearest
from rave_core.settings import Setting, Settings, Table, Words
from rave_journal.journal import Journal
from rave_journal.validation import schema_check

TABLE: Final = "[plugins.journal]"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class JournalSettings:
    """The checked content of ``[plugins.journal]``.

    Attributes:
        origins: as `rave_core.Settings.origins`.
        journals: the names of the journals. The first one is the default: it also answers at ``/-/journal``.
        schemas: for a journal, the file of a JSON Schema that payloads of new commits have to fit.

    Raises:
        ConfigurationError: a value is wrong; the message says what would be right.
    """

    origins: Mapping[str, str] = field(init=False, compare=False, default_factory=dict)
    journals: Words = Words(("journal",))
    schemas: Table = Table(dict)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The settings of this package among all settings.

        Raises:
            ConfigurationError: one is unknown or wrong.
        """
        origin = f"{settings.origins.get('plugins', 'given')} {TABLE}"
        known = {name: value for name, value in vars(cls).items() if isinstance(value, Setting)}
        values: dict[str, Any] = {}
        for name, value in settings.plugins.get("journal", {}).items():
            if name not in known:
                raise ConfigurationError(f"{origin}: unknown setting {name!r}: {nearest(name, known)}")
            values[name] = known[name].checked(value, Path.cwd(), origin)
        found = cls(**values)
        found._check_names(origin)
        found._check_schemas(origin)
        return found

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

    def _check_schemas(self, origin: str) -> None:
        for name, path in self.schemas.items():
            if name not in self.journals:
                raise ConfigurationError(
                    f"{origin}: schemas names the journal {name!r}; {nearest(name, self.journals)}"
                )
            if not isinstance(path, str):
                raise ConfigurationError(f"{origin}: schemas.{name} is {path!r}: write the path of a JSON Schema")

    def journal(self, name: str, store: Callable[[], DocumentStore]) -> Journal:
        """A journal, with the check of its payloads; ``store`` gives the document store, when it is first needed.

        Raises:
            ConfigurationError: its JSON Schema can't be used.
        """
        path = self.schemas.get(name)
        return Journal(name, store, None if path is None else schema_check(Path(str(path)).expanduser()))
