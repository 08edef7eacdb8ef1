"""The lineages of results, as far as a client may see them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

from falcon.asgi import Request

from rave_core.clock import Clock
from rave_core.introspection.lineage import MOST_STEPS, Ancestor, dependents, lineage
from rave_core.model import Key
from rave_core.storage.cache import Cache
from rave_http.auth.authorizer import Authorizer
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.pages.lineage_view import LineageRow, LineageView
from rave_http.protocol.links import Links

_MOST_USERS: Final = 100


class Lineages:
    """Shows where results come from. For the event loop of one worker."""

    def __init__(self, namespaces: LiveNamespaces, authorizer: Authorizer, links: Links, clock: Clock) -> None:
        """Names the operations that ``namespaces`` export.

        Args:
            namespaces: have the operations.
            authorizer: decides who may see them.
            links: URLs of results.
            clock: the source of time.
        """
        self._namespaces = namespaces
        self._authorizer = authorizer
        self._links = links
        self._clock = clock

    async def view(self, req: Request, caches: Sequence[Cache], key: Key, name: str) -> LineageView:
        """Where the result of a key comes from, and what was made from it.

        Args:
            req: says who asks.
            caches: where to look.
            key: of the result.
            name: ``namespace/operation``, as which it is shown.

        Raises:
            OSError: a store is in trouble.
        """
        found = await asyncio.to_thread(lineage, caches, key)
        users = await asyncio.to_thread(partial(dependents, caches, key, self._clock))
        notes = [f"Only {MOST_STEPS} steps are shown."] if len(found) == MOST_STEPS else []
        if not users.is_complete:
            notes.append("There are too many results to look at all of them, so it may be used by more than these.")
        if len(users.entries) > _MOST_USERS:
            notes.append(f"It is used by {len(users.entries):,} results; the latest {_MOST_USERS} are shown.")
        made = [Ancestor(1, Key.parse(entry.key), entry) for entry in users.entries[:_MOST_USERS]]
        return LineageView(
            steps=[self._row(req, step, name if step.depth == 0 else "") for step in found],
            users=[self._row(req, step, "") for step in made],
            notes=notes,
        )

    def _row(self, req: Request, step: Ancestor, name: str) -> LineageRow:
        key = step.key.text
        exported = self._namespaces.by_quoted_name(key.rsplit("/", 2)[0])
        seen = next((each for each in exported if self._authorizer.may(req, "view", each.namespace)), None)
        if exported and seen is None:
            return LineageRow(depth=step.depth, key=key, arguments={}, note="that you may not see")
        name = name or (step.key.operation if seen is None else seen.name)
        if step.entry is None:
            return LineageRow(depth=step.depth, key=key, name=name, arguments={}, note="not stored any more")
        return LineageRow(
            depth=step.depth,
            key=key,
            name=name,
            url="" if seen is None else self._links.to_result(key),
            arguments=step.entry.arguments if seen is not None else {},
            seconds=step.entry.seconds,
            created_at=step.entry.created_at,
            note="shown above" if step.is_repeated else "",
        )
