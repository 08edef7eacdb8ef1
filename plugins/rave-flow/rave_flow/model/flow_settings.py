"""The settings of this package: the table ``[plugins.flow]``."""

# ruff: noqa: RUF009  # a Setting is a descriptor, made to be shared as the default of its field
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from rave_core import current_runtime
from rave_core.errors import ConfigurationError
from rave_core.settings import Flag, PluginSettings, Settings, Table, Text, Words
from rave_flow.model.address_set import AddressSet
from rave_flow.model.ranges import Ranges

PRIVATE = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8",
    "fc00::/7", "fe80::/10", "::1",
)  # fmt: skip
"""The internal networks by default: those that nobody routes."""


@dataclass(frozen=True, kw_only=True)
class FlowSettings(PluginSettings):
    """The checked content of ``[plugins.flow]``. The names in its tables are the user's.

    Attributes:
        directory: where the flow files of the source ``default`` are; empty if that is not configured.
        directories: the same for more sources, by name.
        internal: the networks inside.
        pmaps: the files of prefix maps, by name.
        resolve: whether ``rwresolve`` may ask name servers.
        sets: the files of sets of addresses, by name.
        strict: whether something that can't be read, or lies there twice, is an error.
        tuples: the files of tuples, by name.

    Raises:
        ConfigurationError: a value is wrong; the message says what would be right.
    """

    plugin = "flow"
    directory: Text = Text("")
    directories: Table = Table(dict)
    internal: Words = Words(PRIVATE)
    pmaps: Table = Table(dict)
    resolve: Flag = Flag(False)
    sets: Table = Table(dict)
    strict: Flag = Flag(False)
    tuples: Table = Table(dict)

    def check(self, origin: str) -> None:
        """Returns if the tables hold paths, and ``internal`` can be read."""
        for table, paths in self.tables.items():
            for name, value in paths.items():
                if not isinstance(value, str) or not value:
                    raise ConfigurationError(f"{origin}: {table}.{name} is {value!r}: write a path")
        try:
            _ranges(self.internal)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"{origin}: 'internal' is {list(self.internal)!r}: {error}") from error

    @property
    def tables(self) -> dict[str, Mapping[str, Any]]:
        """The paths by name, for each setting that is a table."""
        return {"directories": self.directories, "pmaps": self.pmaps, "sets": self.sets, "tuples": self.tuples}

    @property
    def inside(self) -> Ranges:
        """The numbers of the addresses that ``internal`` names."""
        return _ranges(self.internal)


@lru_cache(maxsize=8)
def _ranges(networks: tuple[str, ...]) -> Ranges:
    return AddressSet.of(networks).ranges


def flow_settings() -> FlowSettings:
    """The settings of the current runtime.

    Raises:
        ConfigurationError: one is unknown or wrong.
    """
    settings = current_runtime().settings
    return _checked(_Given(repr(settings.plugins.get(FlowSettings.plugin)), settings))


@dataclass(frozen=True)
class _Given:
    """Settings that are equal if the table of this package is: each call asks, and checking takes as long as a hit."""

    table: str
    settings: Settings = field(compare=False)


@lru_cache(maxsize=8)
def _checked(given: _Given) -> FlowSettings:
    return FlowSettings.of(given.settings)
