"""Questions: the call, as a client would write it, that a kept result answers."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterable
from typing import Any, Final

from rave_core.model import Call, Entry, Key
from rave_http.description.request_arguments import Asked, bind, read_query
from rave_http.executors.foreign_code import ForeignCode, LeftError
from rave_http.jobs.tickets import Tickets
from rave_http.namespaces.exported import ExportedOperation
from rave_http.protocol.problems import Problem

_WRAPPED: Final = re.compile(r"[A-Za-z_]\w*\('([^']*)'\)")
"""The short form of values such as ``IPv4Address('10.0.0.1')``."""


class Questions:
    """Finds questions. A question that is found gives the very key of the result: it is never a guess."""

    def __init__(self, foreign: ForeignCode, tickets: Tickets) -> None:
        """Converters are called by ``foreign``; ``tickets`` may hold the question as it was asked."""
        self._foreign = foreign
        self._tickets = tickets

    async def find(
        self, exported: ExportedOperation, key: Key, candidates: Iterable[Asked | None]
    ) -> tuple[Asked, Call] | None:
        """The first candidate, or else the question of a ticket, that the result of ``key`` answers, and its call.

        ``None`` if none is known.
        """
        for asked in candidates:
            call = None if asked is None else await self._call(exported, key, asked)
            if asked is not None and call is not None:
                return asked, call
        ticket = await asyncio.to_thread(self._tickets.find, key.text)
        call = None if ticket is None else await self._call(exported, key, ticket.asked)
        return None if ticket is None or call is None else (ticket.asked, call)

    async def _call(self, exported: ExportedOperation, key: Key, asked: Asked) -> Call | None:
        try:
            call: Call = await self._foreign.call(exported.name, bind, asked, exported.operation, exported.resolved)
        except (Problem, LeftError):
            return None
        return call if call.key == key else None


def written_as(name: str, query: str) -> Asked | None:
    """What a query asks of the operation ``name``; ``None`` if it can't be read."""
    try:
        return read_query(name, query).asked
    except Problem:
        return None


def recorded_as(name: str, entry: Entry) -> Asked:
    """What the short forms of the arguments in an entry may have been. They may be cut, so it has to be checked."""
    texts: list[tuple[str, str]] = []
    for parameter, text in entry.arguments.items():
        texts += [(parameter, each) for each in _texts(text)]
    return Asked(operation=name, texts=tuple(texts))


def _texts(text: str) -> list[str]:
    wrapped = _WRAPPED.fullmatch(text)
    if wrapped is not None:
        return [wrapped[1]]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return [text]
    return [_text(each) for each in value] if isinstance(value, (list, tuple, set)) else _of_scalar(value)


def _of_scalar(value: Any) -> list[str]:
    return [] if value is None else [_text(value)]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
