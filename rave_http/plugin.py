"""What the service adds to RAVE: the commands ``serve``, ``jobs``, ``key`` and ``events`` of ``rave``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rave_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from rave_core.registry import Registry


@hookimpl
def rave_register_commands(registry: Registry[Any]) -> None:
    """Adds the commands. Each imports its code only when it runs, so the packages need not be installed."""
    from rave_http.cli.events import events
    from rave_http.cli.jobs import jobs
    from rave_http.cli.key import key
    from rave_http.cli.serve import serve

    registry.add("serve", serve, origin=__name__)
    registry.add("jobs", jobs, origin=__name__)
    registry.add("key", key, origin=__name__)
    registry.add("events", events, origin=__name__)
