"""``/-/cache`` and ``/-/cache/purge``: the contents of the caches by operation, and their removal."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from falcon.asgi import Request, Response

from rave_core.backend import SupportsStats
from rave_core.errors import BackendError
from rave_core.introspection.usage import usage_of
from rave_core.model import Entry, Key
from rave_core.runtime.runtime import Runtime
from rave_core.storage.cache import Cache
from rave_core.storage.listing import entries_of, prefix_of
from rave_core.text.durations import parse_duration
from rave_http.auth.authorization import HIDDEN, SERVICE
from rave_http.auth.authorizer import Authorizer
from rave_http.description.document_checks import check_document
from rave_http.description.request_arguments import read_body
from rave_http.jobs.tickets import OPERATION
from rave_http.namespaces.exported import ExportedOperation
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.protocol.bodies import body_of
from rave_http.protocol.conditions import check_write
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import read
from rave_http.protocol.responses import send_json
from rave_http.workers.workers import Workers

_MOST: Final = 100_000
_SCHEMES: Final = re.compile(r"(?:^| over )([a-z][a-z0-9+.-]*):")


@dataclass(frozen=True, slots=True)
class _Counted:
    """A cache in numbers.

    Attributes:
        name: ``data`` or ``products``.
        facts: of the cache itself.
        operations: the facts of each of its operations, by their full names.
        trouble: why it could not be counted, if so.
    """

    name: str
    facts: dict[str, Any]
    operations: dict[str, dict[str, Any]]
    trouble: OSError | None = None


class CacheFacts:
    """``/-/cache``."""

    def __init__(self, runtime: Runtime, namespaces: LiveNamespaces, authorizer: Authorizer) -> None:
        self._runtime = runtime
        self._namespaces = namespaces
        self._authorizer = authorizer
        self._counting: asyncio.Task[list[_Counted]] | None = None

    async def on_get(self, req: Request, resp: Response) -> None:
        """Both caches, and for each operation that the principal may see: entries, bytes, and seconds of computing.

        It needs the permission ``metrics``, since it reads the header of every entry.
        A principal who may ``debug`` gets the URLs, too.
        """
        read(req)
        self._authorizer.require(req, "metrics")
        counted = await self._counted()
        for each in counted:
            if each.trouble is not None:
                raise BackendError(str(each.trouble)) from each.trouble  # a new exception, since others share that one
        send_json(resp, self._document(req, counted))

    on_head = on_get

    async def document(self, req: Request) -> dict[str, Any]:
        """The contents, as far as the principal may see them; for a store in trouble, only that it is."""
        return self._document(req, await self._counted())

    def _document(self, req: Request, counted: list[_Counted]) -> dict[str, Any]:
        document: dict[str, Any] = {"caches": {}, "operations": {}}
        is_open = self._authorizer.may(req, "debug")
        for each in counted:
            document["caches"][each.name] = each.facts if is_open else _discreet(each.facts)
            for full_name, record in each.operations.items():
                known = self._namespaces.by_full_name(full_name)
                if known is not None and self._authorizer.may(req, "view", known.namespace):
                    document["operations"][known.name] = record
        return document

    async def _counted(self) -> list[_Counted]:
        """Each cache in numbers. Concurrent requests share one count, since it can take long."""
        if self._counting is None or self._counting.done():
            self._counting = asyncio.create_task(asyncio.to_thread(self._count))
        return await asyncio.shield(self._counting)

    def _count(self) -> list[_Counted]:
        runtime = self._runtime
        return [_count(name, cache) for name, cache in (("data", runtime.cache), ("products", runtime.products))]


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge removed.

    Attributes:
        asked: what it was asked to remove, by the members of its request.
        removed, bytes: entries and their bytes.
        is_dry: whether it only counted them.
    """

    asked: Mapping[str, str]
    removed: int
    bytes: int
    is_dry: bool = False


class Purge:
    """``/-/cache/purge``."""

    def __init__(
        self,
        runtime: Runtime,
        namespaces: LiveNamespaces,
        authorizer: Authorizer,
        workers: Workers,
        *,
        max_body: int,
    ) -> None:
        """Purges the caches of ``runtime`` and the memory of the other workers."""
        self._runtime = runtime
        self._namespaces = namespaces
        self._authorizer = authorizer
        self._workers = workers
        self._max_body = max_body

    async def on_post(self, req: Request, resp: Response) -> None:
        """Removes entries by namespace, operation, version and age. Returns how many.

        Without any of these, it removes expired entries, as a regular purge would. With ``dry_run`` it removes
        none, and returns how many it would.
        """
        done = await self.purge(req)
        send_json(resp, {"removed": done.removed, "bytes": done.bytes, "dry_run": done.is_dry})

    async def purge(self, req: Request) -> Purged:
        """Does what the body of a request says.

        Raises:
            Problem: the principal may not, or the body is wrong.
        """
        self._check_any(req)
        asked = await self._read(req)
        is_dry = str(asked.pop("dry_run", "false")).lower() == "true"
        self._check(req, asked)
        check_write(req)
        if not asked and is_dry:
            detail = "a dry run needs a namespace, an operation, a version or an age: what has expired is not counted"
            raise Problem("bad-arguments", detail, errors=[{"parameter": "dry_run", "detail": detail}])
        if not asked:
            purged = await asyncio.to_thread(self._runtime.purge)
            return Purged(asked, purged.entries, purged.bytes)
        return await self._purge(req, asked, is_dry=is_dry)

    async def _purge(self, req: Request, asked: dict[str, str], *, is_dry: bool) -> Purged:
        before = self._runtime.clock.now() - _age(asked.get("older_than"))
        removed = bytes_ = 0
        for exported in self._chosen(asked):
            if self._authorizer.may(req, "purge", exported.namespace):
                count, size = await asyncio.to_thread(
                    _remove, exported.cache, exported.full_name, asked.get("version"), before, is_dry=is_dry
                )
                if not is_dry:
                    await self._workers.forget(prefix_of(exported.full_name))
                removed, bytes_ = removed + count, bytes_ + size
        return Purged(asked, removed, bytes_, is_dry)

    def _check_any(self, req: Request) -> None:
        """Returns if the principal may purge anything at all; of others, not even the body is read.

        Raises:
            Problem: they may not.
        """
        if not any(self._authorizer.may(req, "purge", each.name) for each in self._namespaces.states()):
            self._authorizer.require(req, "purge")

    def _check(self, req: Request, asked: dict[str, str]) -> None:
        """Returns if the principal may purge the requested entries.

        Raises:
            Problem: they may not, or there is no such namespace.
        """
        for namespace in {asked.get("namespace", ""), _namespace(asked)} - {""}:
            # A refusal would reveal that there is such a namespace.
            if not (self._authorizer.may(req, "view", namespace) and self._knows(namespace)):
                raise Problem("not-found", HIDDEN)
        self._authorizer.require(req, "purge", asked.get("namespace") or _namespace(asked) or SERVICE, audited=True)

    def _knows(self, namespace: str) -> bool:
        return any(state.name == namespace for state in self._namespaces.states())

    def _chosen(self, asked: dict[str, str]) -> list[ExportedOperation]:
        """The operations whose entries are to be removed, in order of their names.

        Raises:
            Problem: there is no operation of the requested name.
        """
        operation, namespace = asked.get("operation"), asked.get("namespace")
        if operation is not None and self._namespaces.find(operation) is None:
            raise Problem("not-found", f"There is no operation {operation[:300]!r}")
        return [
            each
            for each in self._namespaces.exported()
            if namespace in (None, each.namespace) and operation in (None, each.name)
        ]

    async def _read(self, req: Request) -> dict[str, str]:
        body = await body_of(req, self._max_body)
        request = read_body("purge", req.query_string, req.content_type, body)
        given: dict[str, str] = dict(request.asked.texts)
        if request.asked.document is not None:
            given = dict(request.asked.document)
        elif given.get("older_than") == "":  # an empty field of a form says nothing
            del given["older_than"]
        check_document("PurgeRequest", given)
        return given


def _namespace(asked: dict[str, str]) -> str:
    return asked.get("operation", "").partition("/")[0]


def _age(text: str | None) -> float:
    try:
        return 0.0 if text is None else parse_duration(text)
    except ValueError as error:
        detail = str(error)
        raise Problem("bad-arguments", detail, errors=[{"parameter": "older_than", "detail": detail}]) from None


def _count(name: str, cache: Cache) -> _Counted:
    try:
        return _Counted(name, *_facts(cache))
    except OSError as error:
        return _Counted(name, {"url": cache.url, "problem": str(error), "notice": None}, {}, error)


def _discreet(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts of a cache, without its location."""
    url, problem, notice = facts["url"], facts["problem"], facts["notice"]
    return facts | {
        "url": " over ".join(_SCHEMES.findall(url)),
        "problem": problem and "it is in trouble",
        "notice": notice and "there is something to note",
    }


def _facts(cache: Cache) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """A cache in numbers, and each of its operations.

    Raises:
        OSError: the store is in trouble.
    """
    facts: dict[str, Any] = {"url": cache.url, "problem": cache.backend.check(), "notice": cache.backend.notice()}
    if (stats := cache.backend.capability(SupportsStats)) is not None:
        count, size = stats.usage()
        facts |= {"entries": count, "bytes": size, "max_bytes": stats.max_bytes}
    usage = usage_of(cache, most=_MOST)
    operations = {
        each.operation: {"entries": each.entries, "bytes": each.bytes, "seconds": each.seconds}
        for each in usage.operations
        if each.operation != OPERATION
    }
    facts["complete"] = usage.is_complete
    return facts, operations


def _remove(cache: Cache, operation: str, version: str | None, before: float, *, is_dry: bool) -> tuple[int, int]:
    """Removes the kept results of one operation, or only counts them. Returns the number of entries and of bytes."""
    removed = size = 0
    for entry in _entries(cache, operation, version, before):
        if is_dry or cache.backend.delete(entry.key):
            removed, size = removed + 1, size + entry.size
    return removed, size


def _entries(cache: Cache, operation: str, version: str | None, before: float) -> Iterator[Entry]:
    for entry in entries_of(cache, operation, most=sys.maxsize):
        key = Key.parse(entry.key)
        if version in (None, key.version) and entry.created_at <= before:
            yield entry
