"""What this package adds to the service: ``/-/monitor``, the page and the paths of woodstock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rave_http.hookspecs import ResourceContext, Route, hookimpl

_READ: Final = {"GET": "view"}


@hookimpl
def rave_http_resources(context: ResourceContext) -> Sequence[Route]:
    """The page, the latest value of a key, and its values in a range."""
    from rave_monitor.page import MonitorPage
    from rave_monitor.value_resources import LatestValue, ValueRange

    return [
        Route("/-/monitor", MonitorPage(context), _READ, namespace="monitor", title="Monitor"),
        Route("/-/monitor/{processor}/{key}", LatestValue(context), _READ, namespace="monitor"),
        Route("/-/monitor/{processor}/{key}/{span}", ValueRange(context), _READ, namespace="monitor"),
    ]
