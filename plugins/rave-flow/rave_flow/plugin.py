"""What this package adds to RAVE: converters by name, the command ``rave flow``, the check of its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rave_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from rave_core.registry import Registry
    from rave_core.settings import Settings


@hookimpl
def rave_register_converters(registry: Registry[Any]) -> None:
    """Adds the types of the namespace's arguments."""
    from rave_flow.arguments.converters import CONVERTERS
    from rave_flow.arguments.name_sources import CONVERTERS as OF_NAMES
    from rave_flow.arguments.silk_converters import CONVERTERS as NAMED

    for name, converter in (*CONVERTERS.items(), *OF_NAMES.items(), *NAMED.items()):
        registry.add(name, converter, origin=__name__)


@hookimpl
def rave_register_commands(registry: Registry[Any]) -> None:
    """Adds ``rave flow``."""
    from rave_flow.generate.command import flow

    registry.add("flow", flow, origin=__name__)


@hookimpl
def rave_check_settings(settings: Settings) -> None:
    """Checks ``[plugins.flow]``."""
    from rave_flow.model.flow_settings import FlowSettings

    FlowSettings.of(settings)
