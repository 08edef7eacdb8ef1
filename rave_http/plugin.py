"""What the service adds to RAVE: commands such as ``serve``, its client in notebooks, the check of its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rave_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rave_core.registry import Registry
    from rave_core.settings import Settings


@hookimpl
def rave_register_commands(registry: Registry[Any]) -> None:
    """Adds the commands. Each imports its code only when it runs, so the packages need not be installed."""
    from rave_http.cli.dashboards import dashboards
    from rave_http.cli.events import events
    from rave_http.cli.jobs import jobs
    from rave_http.cli.key import key
    from rave_http.cli.serve import serve

    registry.add("serve", serve, origin=__name__)
    registry.add("jobs", jobs, origin=__name__)
    registry.add("key", key, origin=__name__)
    registry.add("events", events, origin=__name__)
    registry.add("dashboards", dashboards, origin=__name__)


@hookimpl
def rave_check_settings(settings: Settings) -> None:
    """Checks ``[service]``; without the extra ``http``, only names and types."""
    from rave_http.settings import ServiceSettings

    service = ServiceSettings.of(settings)
    if not settings.service:
        return
    try:
        from rave_http.process.preflight import check_service
    except ModuleNotFoundError:
        return  # nobody serves here
    check_service(settings, service)


@hookimpl
def rave_ask_service(url: str, operation: str, texts: Sequence[tuple[str, str]], wish: str) -> object | None:
    """Asks by the client, which needs requests."""
    try:
        from rave_http.cli.notebook import ask_service
    except ModuleNotFoundError:
        return None
    return ask_service(url, operation, texts, wish)
