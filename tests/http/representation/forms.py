"""Values and hooks that the tests of renderings share."""

from __future__ import annotations

from typing import Any

import pluggy

from rave_http import hookspecs
from rave_http.representation.renderers import Rendering, renderings

UNTOLD = "application/octet-stream"


TABLE = [{"name": "Ada", "age": 36}, {"name": "Grace", "age": None}]


COLUMNAR = ["application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"]


AS_TABLE = ["application/json", "text/csv; charset=utf-8", *COLUMNAR, "text/html; charset=utf-8"]


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"


def hooks_of(*plugins: object) -> Any:
    """The relay of the service's plugins, with these."""
    manager = pluggy.PluginManager("rave_http")
    manager.add_hookspecs(hookspecs)
    for plugin in plugins:
        manager.register(plugin)
    return manager.hook


def forms_of(value: Any, mime_type: str = UNTOLD, *plugins: object) -> dict[str, Rendering]:
    """The forms of a value by media type, in order."""
    found = renderings(value, mime_type, operation="lab/people", hooks=hooks_of(*plugins))
    return {each.media_type: each for each in found}


def offered() -> tuple[Rendering, ...]:
    """The forms of a table."""
    return renderings(TABLE, UNTOLD, operation="lab/people", hooks=hooks_of())
