"""Representations: a product's bytes in one media type, rendered once and kept while there is room."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any, BinaryIO, Final, TypeAlias

from cachetools import LRUCache

from rave_core.errors import DamagedError, RaveError
from rave_core.model import Entry, OperationSpec
from rave_core.rendering import notes_of
from rave_core.storage.cache import Cache
from rave_core.storage.checked_files import CheckedFiles, open_plain
from rave_core.storage.directory_cache import DirectoryCache
from rave_core.storage.product_cache import Remote
from rave_core.storage.written import suffix_of
from rave_http.executors.foreign_code import ForeignCode
from rave_http.protocol.headers import http_date, listed
from rave_http.protocol.problems import Problem
from rave_http.representation.renderers import Rendering, choose, file_form, negotiate_file, renderings

_OVERHEAD: Final = 1024
_OFFERS: Final = 4096
_ACTIVE: Final = frozenset({"text/html", "text/xml", "text/xsl", "application/xml"})
_LARGEST_SHARE: Final = 8  # a representation above this part of the budget is rendered each time

_Place: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Representation:
    """A product in one media type.

    Attributes:
        media_type: with its charset, for a text.
        etag: a strong validator, in quotes: the digest of the bytes and their media type.
        size: in bytes.
        body: the bytes; ``None`` for a file.
        path: of the file; ``None`` for bytes.
        open: opens the file for reading, and checks what it opened; ``None`` for bytes. May wait for a disk; errors as
            those of `rave_core.storage.checked_files.CheckedFiles.open`.
        url: of a file that is elsewhere, valid for some time for every client that has it; ``None`` if the service
            sends it.
        filename: what a browser may call it when it saves it.
        created_at: Unix seconds; ``None`` if no cache keeps the product, and each request makes another.
        is_date_strong: whether no other version can date from the same second, because making this one took longer, so
            that ``Last-Modified`` distinguishes versions (RFC 9110, 8.8.2.2).
        notes: what the product says about itself.
        validators: the headers by which a client asks whether it changed.
        headers: those, and all others that go with the bytes, except their length.
    """

    media_type: str
    etag: str
    size: int
    body: bytes | None = None
    path: str | None = None
    open: Callable[[], BinaryIO] | None = None
    url: str | None = None
    filename: str = ""
    created_at: float | None = None
    is_date_strong: bool = False
    notes: tuple[str, ...] = ()
    validators: tuple[tuple[str, str], ...] = field(init=False)
    headers: tuple[tuple[str, str], ...] = field(init=False)

    def __post_init__(self) -> None:
        validators = [("ETag", self.etag)]
        if self.created_at is not None:
            validators.append(("Last-Modified", http_date(self.created_at)))
        others = [
            ("Content-Type", self.media_type),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Disposition", f'inline; filename="{self.filename}"'),
        ]
        if self.notes:
            others.append(("RAVE-Notes", listed(self.notes)))
        if _is_active(self.media_type):
            others.append(("Content-Security-Policy", "sandbox allow-scripts"))
        object.__setattr__(self, "validators", tuple(validators))
        object.__setattr__(self, "headers", tuple(validators + others))


@dataclass(frozen=True, slots=True)
class MadeProduct:
    """A result and its metadata.

    Attributes:
        name: ``namespace/operation``.
        value: the value, or the path of the file or directory; shared, so never to be changed.
        entry: its cache entry; ``None`` if no cache keeps it.
        cache: where it would be kept.
        query: the arguments as the query of a URL, with its question mark; ``None`` if they are not known.
    """

    name: str
    spec: OperationSpec
    value: Any
    entry: Entry | None
    cache: Cache | None = None
    query: str | None = None


class Representations:
    """Renders representations, in threads, and keeps the recent ones. For the event loop of one worker."""

    def __init__(
        self,
        max_bytes: int,
        hooks: Any,
        *,
        base: str = "",
        files: CheckedFiles | None = None,
        foreign: ForeignCode | None = None,
    ) -> None:
        """Keeps up to ``max_bytes``.

        Args:
            max_bytes: for all that is kept.
            hooks: give forms of values beyond the built-in ones.
            base: the prefix of every link on a page.
            files: opens products that are files.
            foreign: calls the code that renders.
        """
        self._files = files or CheckedFiles()
        self._hooks = hooks
        self._foreign = foreign or ForeignCode()
        self._base = base
        self._largest = max_bytes // _LARGEST_SHARE
        self._kept: LRUCache[_Place, Representation] = LRUCache(max_bytes, getsizeof=_size)
        self._offered: LRUCache[_Place, Sequence[Rendering]] = LRUCache(_OFFERS)
        self._under_way: dict[_Place, asyncio.Task[Representation]] = {}

    async def of(self, product: MadeProduct, *, accept: str | None, form: str | None) -> Representation:
        """The representation of a product that suits a client best. Concurrent requests share one rendering.

        Raises:
            Problem: the product can take no form that the client accepts.
            UnrenderableError: it can't take its form after all.
        """
        if product.spec.kind.is_written:
            negotiate_file(product.spec.mime_type, accept, form)
            return await asyncio.to_thread(_of_file, product, self._files)
        place = _place(product)
        chosen = choose(await self._offers(product, place), accept=accept, form=form)
        if place is None:
            return await self._foreign.call(product.name, _rendered, product, chosen)
        place = (*place, chosen.media_type)
        found = self._kept.get(place)
        return found if found is not None else await self._made(place, product, chosen)

    async def offers(self, product: MadeProduct) -> Sequence[Rendering]:
        """The forms that a product can take, the best first. A file has its own alone."""
        if product.spec.kind.is_written:
            return (file_form(product.spec.mime_type),)
        return await self._offers(product, _place(product))

    async def etags(self, product: MadeProduct) -> frozenset[str]:
        """The validators of a product in all of its forms: each of them names this version of it.

        A form that it can't take after all has none.
        """
        if product.spec.kind.is_written:
            found = await asyncio.to_thread(_of_file, product, self._files)
            return frozenset({found.etag})
        place = _place(product)
        tags = set()
        for form in await self._offers(product, place):
            with suppress(RaveError, Problem):
                tags.add((await self.of(product, accept=form.media_type, form=None)).etag)
        return frozenset(tags)

    async def _offers(self, product: MadeProduct, place: _Place | None) -> Sequence[Rendering]:
        """The forms of a product, which are those of every equal one."""
        offered = self._offered.get(place) if place is not None else None
        if offered is None:
            make = partial(renderings, operation=product.name, hooks=self._hooks, base=self._base)
            offered = await self._foreign.call(product.name, make, product.value, product.spec.mime_type)
            if place is not None:
                self._offered[place] = offered
        return offered

    async def _made(self, place: _Place, product: MadeProduct, chosen: Rendering) -> Representation:
        task = self._under_way.get(place)
        if task is None:
            task = asyncio.create_task(self._foreign.call(product.name, _rendered, product, chosen))
            self._under_way[place] = task
            task.add_done_callback(lambda done: self._keep(place, done))
        # A client that leaves must not cancel it for the others that wait for it.
        return await asyncio.shield(task)

    def _keep(self, place: _Place, task: asyncio.Task[Representation]) -> None:
        self._under_way.pop(place, None)
        if not task.cancelled() and task.exception() is None and _size(task.result()) <= self._largest:
            self._kept[place] = task.result()


def _place(product: MadeProduct) -> _Place | None:
    """The identity of a product among all ever made; ``None`` for one that no cache keeps."""
    entry = product.entry
    if entry is None:
        return None
    # The declared type is part of it: that may change while the kept result stays valid.
    return product.name, product.spec.mime_type, entry.key, entry.digest, repr(entry.created_at)


def _rendered(product: MadeProduct, chosen: Rendering) -> Representation:
    body = chosen.render(product.value)
    suffix = suffix_of(chosen.media_type)
    return Representation(
        chosen.media_type,
        _etag(chosen.media_type, body),
        len(body),
        body=body,
        filename=f"{_plain_name(product.name)}{suffix}",
        created_at=_created_at(product),
        is_date_strong=product.entry is not None and product.entry.seconds >= 1,
        notes=notes_of(product.value),
    )


def _of_file(product: MadeProduct, files: CheckedFiles) -> Representation:
    if isinstance(product.value, Remote):
        return _of_remote(product, product.value)
    try:
        path = _path_of(product)
        with open_plain(path) as file:
            status = os.fstat(file.fileno())
    except (OSError, DamagedError) as error:
        raise Problem("conflict", "The product's file has just disappeared; ask again") from error
    size, entry = status.st_size, product.entry
    digest = entry.digest if entry is not None else f"{size:x}-{status.st_mtime_ns:x}"
    name = f"{_plain_name(product.name)}{os.path.splitext(path)[1]}"
    return Representation(
        product.spec.mime_type,
        _etag(product.spec.mime_type, digest.encode()),
        size,
        path=path,
        open=partial(open_plain, path) if entry is None else partial(files.open, path, entry),
        filename=name,
        created_at=_created_at(product),
        is_date_strong=product.entry is not None and product.entry.seconds >= 1,
    )


def _path_of(product: MadeProduct) -> str:
    """The path of a file, or of the archive of a directory."""
    path = str(product.value)
    if isinstance(product.cache, DirectoryCache) and os.path.isdir(path):
        return product.cache.archive_of(path, product.entry)
    return path


def _of_remote(product: MadeProduct, remote: Remote) -> Representation:
    try:
        url = remote.url()
    except OSError as error:
        raise Problem("busy", f"The store of the file is in trouble: {error}", headers={"Retry-After": "5"}) from error
    assert product.entry is not None  # it was found by its entry
    return Representation(
        product.spec.mime_type,
        _etag(product.spec.mime_type, product.entry.digest.encode()),
        remote.size,
        url=url,
        filename=f"{_plain_name(product.name)}{remote.suffix}",
        created_at=_created_at(product),
        is_date_strong=product.entry is not None and product.entry.seconds >= 1,
    )


def _etag(media_type: str, content: bytes) -> str:
    """A strong validator: no two media types share one, whatever the bytes."""
    digest = blake2b(media_type.encode() + b"\0", digest_size=16)
    digest.update(content)
    return f'"{digest.hexdigest()}"'


def _is_active(media_type: str) -> bool:
    """Whether a browser may run what such a document holds: it gets a sandbox, since it is not ours."""
    bare = media_type.partition(";")[0].strip().lower()
    return bare in _ACTIVE or bare.endswith("+xml")


def _created_at(product: MadeProduct) -> float | None:
    return product.entry.created_at if product.entry is not None else None


def _plain_name(name: str) -> str:
    return "".join(each if each.isascii() and (each.isalnum() or each in "-_") else "-" for each in name)


def _size(representation: Representation) -> int:
    return representation.size + _OVERHEAD
