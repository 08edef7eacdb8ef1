"""What this package adds to RAVE: the command ``rave monitor``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rave_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from rave_core.registry import Registry


@hookimpl
def rave_register_commands(registry: Registry[Any]) -> None:
    """Adds ``monitor``."""
    from rave_monitor.commands import monitor

    registry.add("monitor", monitor, origin=__name__)
