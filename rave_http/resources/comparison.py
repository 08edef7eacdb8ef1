"""``/-/compare``: two results side by side, and what differs between them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlencode

from falcon.asgi import Request, Response

from rave_core.clock import Clock
from rave_core.model import FOREVER, Entry, Key
from rave_core.storage.digests import described
from rave_core.storage.kept_copies import KeptCopies, source_of
from rave_core.storage.listing import entries_of, find_head
from rave_core.text.humanize import span
from rave_http.auth.authorizer import Authorizer
from rave_http.executors.foreign_code import ForeignCode
from rave_http.namespaces.exported import ExportedOperation
from rave_http.pages.comparison_view import Candidate, ComparedFacts, candidates_page, comparison_page
from rave_http.protocol.links import Links
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import pairs
from rave_http.protocol.responses import JSON, prefers, send_json, send_page
from rave_http.protocol.times import iso
from rave_http.representation.differences import Difference, RowDifference, difference_of
from rave_http.worker.job_status import JobStatuses, State

_KEPT: Final = re.compile(r"[0-9a-f]{24}")
_MOST_CANDIDATES: Final = 50
_MOST_LOOKED: Final = 2000
_MOST_PARAMETERS: Final = 40


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the results."""

    key: Key
    exported: ExportedOperation
    value: Any
    entry: Entry


class Comparison:
    """Compares two products. For the event loop of one worker."""

    def __init__(
        self,
        statuses: JobStatuses,
        copies: KeptCopies,
        authorizer: Authorizer,
        foreign: ForeignCode,
        links: Links,
        clock: Clock,
    ) -> None:
        """Compares what the client may view.

        Args:
            statuses: find products.
            copies: kept results, which can be named by their IDs.
            authorizer: decides who may see products.
            foreign: calls the code of values.
            links: URLs that pages contain.
            clock: the source of time.
        """
        self._statuses = statuses
        self._copies = copies
        self._authorizer = authorizer
        self._foreign = foreign
        self._links = links
        self._clock = clock

    async def on_get(self, req: Request, resp: Response) -> None:
        """What differs between ``a`` and ``b``; a page without ``b`` offers results to compare ``a`` with.

        Raises:
            Problem: one of them is not there (any more), or is still being made.
        """
        names, by = _read(req)
        is_page = prefers(req, JSON, "text/html") == "text/html"
        one = await self._side(req, names["a"])
        if "b" not in names:
            if not is_page:
                raise _missing("b")
            await self._offer(resp, one)
            return
        two = await self._side(req, names["b"])
        facts = ComparedFacts(
            sides=[self._document(side) for side in (one, two)],
            is_same=one.entry.digest == two.entry.digest,
            difference=await self._difference(one, two, by),
            by=by,
            now=self._clock.now(),
        )
        if is_page:
            send_page(resp, await asyncio.to_thread(comparison_page, facts, base=self._links.base))
        else:
            send_json(resp, _comparison_document(facts))

    on_head = on_get

    async def _side(self, req: Request, name: str) -> _Side:
        if _KEPT.fullmatch(name):
            kept = await asyncio.to_thread(self._copies.find, name)
            name = name if kept is None else kept.key
        key, exported = self._statuses.identify(unquote(name), lambda space: self._authorizer.may(req, "view", space))
        place = await self._statuses.locate(key, exported)
        if place.is_awaited:
            raise Problem("conflict", f"{key.text[:300]!r} is still being made; compare it once it is there")
        if place.state is not State.READY:
            raise self._statuses.refuse(place)
        if place.found is None:
            raise Problem("gone", "Nobody keeps this product", operation=self._links.to_operation(exported.name))
        return _Side(key, exported, place.found.value, place.found.entry)

    async def _difference(self, one: _Side, two: _Side, by: Sequence[str]) -> Difference:
        if one.entry.digest == two.entry.digest and one.entry.codec == two.entry.codec and not by:
            return Difference(note="They are equal, byte for byte.")
        if one.entry.product is not None or two.entry.product is not None:
            return Difference(note="Files are compared as wholes: these differ.")
        found: Difference = await self._foreign.call(one.exported.name, difference_of, one.value, two.value, by)
        return found

    def _document(self, side: _Side) -> dict[str, Any]:
        entry, key = side.entry, side.key
        return {
            "key": key.text,
            "page": self._links.to_result(key.text),
            "operation": side.exported.name,
            "arguments": dict(entry.arguments),
            "made": iso(entry.created_at),
            "expires": None if entry.expires_at == FOREVER else iso(entry.expires_at),
            "seconds": entry.seconds,
            "size": entry.size,
            "digest": described(entry.digest),
            "version": key.version,
            "python": entry.python,
            "is_kept": source_of(key) != key,
        }

    async def _offer(self, resp: Response, one: _Side) -> None:
        now = self._clock.now()
        found = await asyncio.to_thread(self._others, one)
        rows = [
            Candidate(
                url=self._links.to(f"/-/compare?{urlencode({'a': one.key.text, 'b': entry.key}, safe='/')}"),
                arguments=entry.arguments,
                age=span(now - entry.created_at),
                comment=comment,
            )
            for entry, comment in found[:_MOST_CANDIDATES]
        ]
        page = await asyncio.to_thread(candidates_page, self._document(one), rows, base=self._links.base)
        send_page(resp, page)

    def _others(self, one: _Side) -> list[tuple[Entry, str]]:
        """Other results of the operation, newest first; kept ones, which have a comment, before the others."""
        cache, made_by = one.exported.resolved.cache, source_of(one.key).operation
        kept = {copy.key: copy.comment or "kept" for copy in self._copies.all() if copy.operation == made_by}
        found = [entry for entry in entries_of(cache, made_by, most=_MOST_LOOKED) if entry.key != one.key.text]
        copies = [find_head([cache], key) for key in kept if key != one.key.text]
        every = [*found, *(entry for entry in copies if entry is not None)]
        every.sort(key=lambda entry: (entry.key not in kept, -entry.created_at))
        return [(entry, kept.get(entry.key, "")) for entry in every]


def _comparison_document(facts: ComparedFacts) -> dict[str, Any]:
    found: Difference = facts.difference
    one, two = facts.sides
    rows = None if found.rows is None else _rows_document(found.rows)
    lines = None if found.lines is None else list(found.lines)
    return {"a": one, "b": two, "same": facts.is_same, "rows": rows, "lines": lines, "note": found.note}


def _rows_document(rows: RowDifference) -> dict[str, Any]:
    return {
        "columns": list(rows.columns),
        "lost_columns": list(rows.lost),
        "new_columns": list(rows.new),
        "by": list(rows.by),
        "same": rows.same,
        "removed": rows.removed,
        "added": rows.added,
        "changed": rows.changed,
        "removed_rows": list(rows.removed_rows),
        "added_rows": list(rows.added_rows),
        "changed_rows": [list(pair) for pair in rows.changed_rows],
    }


def _read(req: Request) -> tuple[dict[str, str], list[str]]:
    names: dict[str, str] = {}
    by: list[str] = []
    for name, text in pairs(req.query_string, most=_MOST_PARAMETERS):
        if name == "by":
            by += [text] if text else []
        elif name in ("a", "b") and name not in names:
            names[name] = text
        else:
            detail = f"the parameter {name[:80]!r} is unknown or given twice; there are a, b and by"
            raise Problem("bad-arguments", detail, errors=[{"parameter": name[:80], "detail": detail}])
    if "a" not in names:
        raise _missing("a")
    return names, by


def _missing(name: str) -> Problem:
    detail = f"{name} is missing: the key of a product, or the ID of a kept result"
    return Problem("bad-arguments", detail, errors=[{"parameter": name, "detail": detail}])
