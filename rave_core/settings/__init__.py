"""The settings: one frozen object, and where each of its values came from.

A plugin with settings of its own declares them with the same types, as the service does for ``[service]``.
"""

from rave_core.settings.kinds import (
    Choice,
    Count,
    Duration,
    Flag,
    OptionalDuration,
    Setting,
    Size,
    Table,
    Tables,
    Text,
    Word,
    Words,
    listed,
)
from rave_core.settings.settings import Settings, default_cache, default_products, known_settings, variable_of
from rave_core.settings.sources import user_directory

__all__ = [
    "Choice",
    "Count",
    "Duration",
    "Flag",
    "OptionalDuration",
    "Setting",
    "Settings",
    "Size",
    "Table",
    "Tables",
    "Text",
    "Word",
    "Words",
    "default_cache",
    "default_products",
    "known_settings",
    "listed",
    "user_directory",
    "variable_of",
]
