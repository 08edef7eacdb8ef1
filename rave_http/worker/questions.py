"""Questions: the call, as a client would write it, that a kept result answers."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from rave_core.model import Call, Entry, Key
from rave_http.description.request_arguments import Asked, bind, read_query
from rave_http.executors.foreign_code import ForeignCode, LeftError
from rave_http.jobs.tickets import Tickets
from rave_http.namespaces.exported import ExportedOperation
from rave_http.protocol.problems import Problem

_WRAPPED: Final = re.compile(r"[A-Za-z_]\w*\((?:\w+=)?'([^']*)'(?:, .*)?\)", re.DOTALL)
"""The short form of values such as ``IPv4Address('10.0.0.1')``, or of a dataclass that begins with a text."""


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
        known = await self._first(exported, key, candidates)
        if known is not None:
            return known
        ticket = await asyncio.to_thread(self._tickets.find, key.text)
        return None if ticket is None else await self._first(exported, key, (ticket.asked,))

    async def query_of(
        self, exported: ExportedOperation, key: Key | None, asked: Asked | None, entry: Entry | None = None
    ) -> str | None:
        """The query of a URL that asks for a result; ``None`` if none surely has the same arguments.

        Args:
            exported: whose result it is.
            key: of the result; ``None`` if it has none.
            asked: the call as written, if known.
            entry: of the result, which may have recorded short forms of the arguments.
        """
        if key is None or (asked is not None and asked.query is not None):
            return None if asked is None else asked.query
        candidates = [asked] if entry is None else [asked, recorded_as(exported.name, entry)]
        known = await self._first(exported, key, candidates)
        return None if known is None else known[0].query

    async def same_of(
        self, exported: ExportedOperation, key: Key, asked: Asked | None, entry: Entry | None, other: ExportedOperation
    ) -> tuple[Key, Asked] | None:
        """The key that ``other`` has for the arguments of a result, and its question; ``None`` if none is known.

        Args:
            exported: whose result it is.
            key: of the result.
            asked: the call as written, if known.
            entry: of the result, which may have recorded short forms of the arguments.
            other: an operation that takes the same arguments.
        """
        known = await self.find(exported, key, (asked, None if entry is None else recorded_as(exported.name, entry)))
        if known is None:
            return None
        same = msgspec.structs.replace(known[0], operation=other.name)
        try:
            call: Call = await self._foreign.call(other.name, bind, same, other.operation, other.resolved)
        except (Problem, LeftError):
            return None
        return None if call.key is None else (call.key, same)

    async def _first(
        self, exported: ExportedOperation, key: Key, candidates: Iterable[Asked | None]
    ) -> tuple[Asked, Call] | None:
        """The first candidate of that key, as a query would say it if one can, and its call."""
        for asked in (each for each in candidates if each is not None):
            for form in (asked,) if asked.document is None else (as_texts(asked), asked):
                call = await self._call(exported, key, form)
                if call is not None:
                    return form, call
        return None

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


def as_texts(asked: Asked) -> Asked:
    """The same call as the texts of a query. They may mean something else than JSON does, so it has to be checked."""
    if asked.document is None:
        return asked
    pairs = ((name, text) for name, value in asked.document.items() for text in _texts_of(value))
    return Asked(operation=asked.operation, texts=tuple(pairs))


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
    return _texts_of(value)


def _texts_of(value: Any) -> list[str]:
    if isinstance(value, (list, tuple, set)):
        return [_text(each) for each in value]
    return [] if value is None else [_text(value)]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
