"""What this package adds to RAVE beside its namespace: the check of its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rave_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from rave_core.settings import Settings


@hookimpl
def rave_check_settings(settings: Settings) -> None:
    """Checks ``[plugins.sql]``."""
    from rave_sql.settings import SqlSettings

    SqlSettings.of(settings)
