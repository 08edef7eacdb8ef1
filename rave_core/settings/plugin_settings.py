"""The settings of a plugin: the table ``[plugins.NAME]``, checked like RAVE's own settings."""

# a Setting is a descriptor, made to be shared as the default of its field
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from rave_core.errors import ConfigurationError, nearest
from rave_core.settings.kinds import Setting
from rave_core.settings.settings import Settings
from rave_core.settings.sources import working_directory


@dataclass(frozen=True, kw_only=True)
class PluginSettings:
    """The checked content of a table ``[plugins.NAME]``. Subclass it, and declare a field for each setting.

    Subclasses are frozen dataclasses with keyword-only fields, and have a `Setting` as the default of each field.
    Relative paths start at the working directory.

    Attributes:
        plugin: the name of the plugin: that of the table.
        origins: as `rave_core.Settings.origins`.

    Raises:
        ConfigurationError: a value is wrong; the message says what would be right.
    """

    plugin: ClassVar[str]
    origins: Mapping[str, str] = field(init=False, compare=False, default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The settings of the plugin among all settings.

        Raises:
            ConfigurationError: one is unknown or wrong.
        """
        origin = f"{settings.origins.get('plugins', 'given')} [plugins.{cls.plugin}]"
        known = cls._known()
        values: dict[str, Any] = {}
        for name, value in settings.plugins.get(cls.plugin, {}).items():
            if name not in known:
                raise ConfigurationError(f"{origin}: unknown setting {name!r}: {nearest(name, known)}")
            values[name] = known[name].checked(value, working_directory(), origin)
        found = cls(**values)
        found.check(origin)
        return found

    def check(self, origin: str) -> None:  # most tables need no more than their types
        """Returns if the values fit each other. Override it for what the type of one setting can't say.

        Args:
            origin: where the table comes from, for messages.

        Raises:
            ConfigurationError: they don't; the message names the origin and the setting.
        """

    @classmethod
    def _known(cls) -> dict[str, Setting[Any, Any]]:
        """Every setting by name, those of base classes first."""
        classes = reversed(cls.__mro__)
        return {name: each for owner in classes for name, each in vars(owner).items() if isinstance(each, Setting)}
