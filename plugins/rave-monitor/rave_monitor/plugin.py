"""What this package adds to RAVE: the command ``rave monitor``, and monitors beside the workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rave_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from rave_core.lifecycle import PluginContext, Service
    from rave_core.registry import Registry
    from rave_core.settings import Settings


@hookimpl
def rave_register_commands(registry: Registry[Any]) -> None:
    """Adds ``monitor``."""
    from rave_monitor.commands import monitor

    registry.add("monitor", monitor, origin=__name__)


@hookimpl
def rave_services(context: PluginContext) -> list[Service] | None:
    """Runs the monitors of the setting ``configs``."""
    from rave_monitor.settings import MonitorSettings

    configs = MonitorSettings.of(context.settings).configs
    if not configs:
        return None
    from rave_monitor.service import services_of

    return services_of(configs)


@hookimpl
def rave_check_settings(settings: Settings) -> None:
    """Checks ``[plugins.monitor]``."""
    from rave_monitor.settings import MonitorSettings

    MonitorSettings.of(settings)
