"""The settings: one frozen object, and the origin of each value.

A plugin with settings of its own declares them with the same types, in a `PluginSettings`.
"""

from rave_core.settings.kinds import (
    LEVELS,
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
from rave_core.settings.places import File
from rave_core.settings.plugin_settings import PluginSettings
from rave_core.settings.releases import App
from rave_core.settings.settings import Settings
from rave_core.settings.trust import doubt

__all__ = [
    "LEVELS",
    "App",
    "Choice",
    "Count",
    "Duration",
    "File",
    "Flag",
    "OptionalDuration",
    "PluginSettings",
    "Setting",
    "Settings",
    "Size",
    "Table",
    "Tables",
    "Text",
    "Word",
    "Words",
    "doubt",
    "listed",
]
