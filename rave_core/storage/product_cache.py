"""Where a file operation writes, and how the file becomes a product."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from rave_core.backend import Backend, Located, SupportsFiles, SupportsUrl
from rave_core.errors import ConfigurationError, DamagedError, EntryError
from rave_core.model import Bytes, Entry, Key, OperationSpec
from rave_core.storage.cache import Cache, Encoded, Found
from rave_core.storage.checked_files import CheckedFiles, open_plain
from rave_core.storage.frame import EntryDraft, pack, unpack
from rave_core.storage.signature import Signer
from rave_core.storage.written import suffix_of, written_file
from rave_core.telemetry.diagnostics import Diagnostics

_NO_PLACE = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO))


def new_name(key: Key, suffix: str) -> str:
    """The name of a new product of ``key``, which no other has."""
    return f"{key.arguments}-{uuid4().hex[:8]}{suffix}"


class ProductCache(Cache):
    """The files made by file operations: each a file of its own, with its entry beside it.

    Attributes:
        codec: what entries name as the codec of their products.
        checked: opens products after a check that they are what was kept.
    """

    codec: str = "file"

    def __init__(self, backend: Backend, url: str, signer: Signer, diagnostics: Diagnostics) -> None:
        super().__init__(backend, url, signer, diagnostics)
        files = backend.capability(SupportsFiles)
        if files is None:
            raise ConfigurationError(
                f"products = {url!r} can't keep files; a backend that can is needed, as file:///path"
            )
        self._files = files
        self.checked = CheckedFiles()
        self._strays: dict[str, Exception] = {}  # what was written outside of the store, and why

    def elsewhere_for(self, seconds: float) -> Cache:
        """This cache, except that it leaves products where they are: a found value is a `Remote`.

        It returns this same cache if the store does not give out URLs of its products.
        """
        store = self.backend.capability(SupportsUrl)
        return _RemoteProducts(self, store, seconds) if store is not None else self

    def _open(self, key: Key, located: Located) -> Found:
        entry, name = self._named(key, located)
        try:
            path = str(self._files.fetch(key.text, name))
            self.checked.open(path, entry).close()
        except FileNotFoundError:
            raise DamagedError(f"{key}: the product {name} is gone") from None
        return Found(path, entry)

    def _named(self, key: Key, located: Located) -> tuple[Entry, str]:
        """The entry in a located frame, and the name of its product."""
        assert located.frame is not None  # only what was found is opened
        entry, _ = unpack(located.frame, key.text, self.signer)
        if entry.product is None or entry.product != os.path.basename(entry.product):
            raise DamagedError(f"{key}: the entry names no product")
        if entry.codec != self.codec:
            raise EntryError(f"{key}: expected a {self.codec}, the entry is of a {entry.codec}")
        return entry, entry.product

    def prepare(self, spec: OperationSpec) -> tuple[str, ...]:
        """The path that the body writes to; outside of the store if the store is in trouble."""
        suffix = suffix_of(spec.mime_type)
        try:
            return (self._new(suffix),)
        except OSError as error:
            self._diagnostics.backend_failed(self.url, "take a new product", error)
            return self._outside(suffix, error)

    def _new(self, suffix: str) -> str:
        """A path for a body, in the store."""
        return str(self._files.draft(suffix))

    def elsewhere(self, prepared: tuple[str, ...], error: Exception) -> tuple[str, ...] | None:
        """A path outside of the store, if the store ran out of space or vanished while the body ran."""
        path = prepared[0]
        is_full = isinstance(error, OSError) and error.errno in _NO_PLACE
        if path in self._strays or not (is_full or not os.path.isdir(os.path.dirname(path))):
            return None
        try:
            return self._outside(os.path.splitext(path)[1], error)
        except OSError:
            return None

    def _outside(self, suffix: str, error: Exception) -> tuple[str, ...]:
        path = os.path.join(tempfile.mkdtemp(prefix="rave-"), f"product{suffix}")
        self._strays[path] = error
        return (path,)

    def collect(self, spec: OperationSpec, prepared: tuple[str, ...], returned: object) -> Any:
        """The path of what the body wrote; raises `ProductError` if it wrote nothing."""
        return written_file(spec, prepared[0])

    def abandon(self, prepared: tuple[str, ...]) -> None:
        """Removes a draft and its directory."""
        draft = Path(prepared[0])
        self._strays.pop(prepared[0], None)
        self._files.discard(draft)
        shutil.rmtree(draft.parent, ignore_errors=True)

    def encode(self, value: Any) -> Encoded:
        """A draft already has the form in which it is kept."""
        return Encoded(value, self.codec, ())

    def put(self, key: Key, draft: EntryDraft, encoded: Encoded) -> Found:
        """Moves the draft to its place and keeps its entry, which makes it count."""
        self._check_inside(encoded.value)
        written = Path(encoded.value)
        with open_plain(encoded.value) as file:
            content, status = self.signer.algorithm.of_file(file), os.fstat(file.fileno())
            name = new_name(key, written.suffix)
            entry = draft(
                codec=self.codec,
                sizes=(status.st_size,),
                digest=content,
                product=name,
                executable=bool(status.st_mode & stat.S_IXUSR),
            )
            path = str(self._commit(key, written, name, pack(entry, (), self.signer)))
            # By the descriptor: another file may already be at the path.
            self.checked.trust(path, entry, os.fstat(file.fileno()))
        return Found(path, entry)

    def _check_inside(self, path: str) -> None:
        """Raises the trouble because of which a body wrote outside of the store, if it did."""
        trouble = self._strays.pop(path, None)
        if trouble is not None:
            raise trouble

    def _commit(self, key: Key, draft: Path, name: str, frame: list[Bytes]) -> Path:
        try:
            return self._files.commit(key.text, draft, name, frame)
        except OSError as error:
            kept = self._files.locate(key.text, name)
            if not kept.exists():
                raise
            # It is a file on this host and could not be kept elsewhere: an answer, but not for other hosts.
            self._diagnostics.backend_failed(self.url, "keep a product", error)
            return kept

    def fetcher(self, encoded: Encoded) -> Callable[[], Any]:
        """The path of the draft, which stays where it is."""
        return lambda: encoded.value


@dataclass(frozen=True, slots=True)
class Remote:
    """A product that was left where it is.

    Attributes:
        url: gives a URL, a secret, from which anybody can get it for some time. It may wait for a network.
        size: in bytes.
        suffix: of its name, with the dot.
    """

    url: Callable[[], str]
    size: int
    suffix: str


class _RemoteProducts(ProductCache):
    """The same products, without fetching them; so only the entry is checked."""

    def __init__(self, products: ProductCache, store: SupportsUrl, seconds: float) -> None:
        super().__init__(products.backend, products.url, products.signer, products._diagnostics)
        self.codec = products.codec
        self._store = store
        self._seconds = seconds

    def _open(self, key: Key, located: Located) -> Found:
        entry, name = self._named(key, located)
        url = partial(self._store.url, key.text, name, seconds=self._seconds)
        return Found(Remote(url, entry.size, os.path.splitext(name)[1]), entry)
