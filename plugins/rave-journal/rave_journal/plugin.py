"""What this package adds to RAVE: the command ``rave journal``, and the converter ``journal``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rave_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from rave_core.registry import Registry


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
