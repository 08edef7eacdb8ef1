"""Keeping results, within the limits of the service."""

from __future__ import annotations

import asyncio

from rave_core.clock import Clock
from rave_core.errors import EntryError, OptionError
from rave_core.model import Key
from rave_core.storage.cache import Cache
from rave_core.storage.kept_copies import KeptCopies, KeptCopy
from rave_core.storage.listing import find_head
from rave_core.text.durations import parse_duration
from rave_core.text.humanize import size, span
from rave_http.protocol.problems import Problem
from rave_http.settings import ServiceSettings


class Keeping:
    """Keeps copies of results. For the event loop of one worker."""

    def __init__(self, copies: KeptCopies, clock: Clock, own: ServiceSettings) -> None:
        """Keeps them in ``copies``, for as long, and as many, as the settings ``own`` allow."""
        self._copies = copies
        self._clock = clock
        self._own = own

    async def keep(
        self,
        cache: Cache,
        key: Key,
        *,
        stay: str | None,
        is_bound: bool,
        by: str,
        comment: str = "",
        question: str | None = None,
        digest: str | None = None,
    ) -> KeptCopy | None:
        """Copies the result under ``key``, as `rave_core.storage.kept_copies.KeptCopies.keep` does.

        Args:
            cache, key, by, comment, question, digest: as there.
            stay: for how long, a duration or ``ever``; ``None`` for as long as is usual.
            is_bound: whether the limit of the service holds.

        Raises:
            Problem: there is no room for it, its store can't keep anything, or it can't stay for that long.
        """
        until = self._until(stay, is_bound=is_bound)
        try:
            if is_bound:
                await asyncio.to_thread(self._check_room, cache, key)
            keep = self._copies.keep
            return await asyncio.to_thread(
                keep, cache, key, until=until, digest=digest, by=by, comment=comment, question=question
            )
        except (OptionError, EntryError) as error:
            raise Problem("conflict", f"The result can't be kept: {error}") from error

    def _check_room(self, cache: Cache, key: Key) -> None:
        entry = find_head([cache], key.text)
        if entry is None:
            return
        most, copies = self._own.kept_bytes, self._copies
        if sum(kept.size for kept in copies.all() if copies.is_there(kept)) + entry.size > most:
            raise Problem(
                "forbidden",
                f"Kept results may take {size(most)} (the setting kept_bytes), and this one does not fit any more; "
                "remove others, or ask somebody with the permission 'admin'",
            )

    def _until(self, text: str | None, *, is_bound: bool) -> float | None:
        """Unix seconds until which a result is kept; ``None`` for ever.

        Raises:
            Problem: that is no duration, or too long for the client.
        """
        usual = self._own.kept_time
        try:
            seconds = usual if text is None else None if text == "ever" else parse_duration(text)
        except ValueError as error:
            detail = f"for={text!r}: {error}, or 'ever'"
            raise Problem("bad-arguments", detail, errors=[{"parameter": "for", "detail": detail}]) from None
        if is_bound and (seconds is None or seconds > usual):
            raise Problem("forbidden", f"Keeping a result for longer than {span(usual)} needs the permission 'admin'")
        return None if seconds is None else self._clock.now() + seconds
