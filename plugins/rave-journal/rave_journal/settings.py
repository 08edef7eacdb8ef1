"""The settings of this package: the table ``[plugins.journal]``."""

# ruff: noqa: RUF009  # a Setting is a descriptor, made to be shared as the default of its field
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from rave_core.errors import ConfigurationError, nearest
from rave_core.settings import Setting, Settings, Words

TABLE: Final = "[plugins.journal]"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class JournalSettings:
    """The checked content of ``[plugins.journal]``.

    Attributes:
        origins: as `rave_core.Settings.origins`.
        journals: the names of the journals. The first one is the default: it also answers at ``/-/journal``.

    Raises:
        ConfigurationError: a value is wrong; the message says what would be right.
    """

    origins: Mapping[str, str] = field(init=False, compare=False, default_factory=dict)
    journals: Words = Words(("journal",))

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
