"""The page of the caches: what each operation keeps, and what a purge of it would remove."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from rave_core.text.humanize import size, span
from rave_http.pages.templating import page
from rave_http.protocol.responses import Page


def cache_page(
    document: Mapping[str, Any],
    may_purge: Container[str],
    pins: Mapping[str, bool],
    *,
    base: str,
    said: str = "",
    preview: tuple[Mapping[str, str], int, str] | None = None,
) -> Page:
    """The page of the caches, the operation that takes the most first.

    Args:
        document: as ``/-/cache`` gives it.
        may_purge: the operations that the client may purge.
        pins: whether an operation is pinned, of those whose store can pin.
        base: the prefix of every link.
        said: what a purge has done; empty for nothing.
        preview: what a dry run was asked for, how many results would go, and their size in words.
    """
    found = sorted(document["operations"].items(), key=lambda item: (-item[1]["bytes"], item[0]))
    rows = [
        {
            "name": name,
            "entries": facts["entries"],
            "size": size(facts["bytes"]),
            "bytes": facts["bytes"],
            "seconds": span(facts["seconds"]),
            "may_purge": name in may_purge,
            "pinned": pins.get(name),
        }
        for name, facts in found
    ]
    caches = [(name, _in_words(facts)) for name, facts in document["caches"].items()]
    return page("cache.html", base=base, rows=rows, caches=caches, said=said, preview=preview)


def _in_words(facts: Mapping[str, Any]) -> str:
    if facts.get("problem"):
        return f"in trouble: {facts['problem']}"
    if "entries" not in facts:
        return str(facts["url"])
    most = f" of {size(facts['max_bytes'])}" if facts.get("max_bytes") else ""
    count = f"{facts['entries']:,} {'entry' if facts['entries'] == 1 else 'entries'}"
    return f"{count}, {size(facts['bytes'])}{most}, {facts['url']}"
