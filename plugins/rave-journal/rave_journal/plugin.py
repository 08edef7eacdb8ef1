"""What this package adds to RAVE: the command ``rave journal``, the converter ``journal``, its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rave_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from rave_core.registry import Registry
    from rave_core.settings import Settings


@hookimpl
def rave_register_commands(registry: Registry[Any]) -> None:
    """Adds ``journal``."""
    from rave_journal.commands import journal

    registry.add("journal", journal, origin=__name__)


@hookimpl
def rave_register_converters(registry: Registry[Any]) -> None:
    """Adds ``journal``: a document of the default journal."""
    from rave_journal.arguments import JournalConverter

    registry.add("journal", JournalConverter(), origin=__name__)


@hookimpl
def rave_check_settings(settings: Settings) -> None:
    """Checks ``[plugins.journal]``."""
    from rave_journal.settings import JournalSettings

    JournalSettings.of(settings)
