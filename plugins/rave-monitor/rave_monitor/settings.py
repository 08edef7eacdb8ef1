"""The settings of this package: the table ``[plugins.monitor]``."""

# ruff: noqa: RUF009  # a Setting is a descriptor, made to be shared as the default of its field
from __future__ import annotations

from dataclasses import dataclass

from rave_core import Settings
from rave_core.settings import PluginSettings, Text, Words


@dataclass(frozen=True, kw_only=True)
class MonitorSettings(PluginSettings):
    """The checked content of ``[plugins.monitor]``.

    Attributes:
        documents: URL of the database in which samples are looked for; empty for that of the setting ``documents``.
        configs: configurations of monitors that ``rave serve`` runs beside the workers.
        pages: the journal with pages that people wrote.

    Raises:
        ConfigurationError: a value is wrong; the message says what would be right.
    """

    plugin = "monitor"
    documents: Text = Text("")
    configs: Words = Words(())
    pages: Text = Text("pages")

    @classmethod
    def url(cls, settings: Settings) -> str:
        """The URL of the database in which samples are looked for.

        Raises:
            ConfigurationError: a setting is wrong.
        """
        return str(cls.of(settings).documents or settings.documents)
