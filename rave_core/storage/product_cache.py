"""Where a file operation writes, and how what it wrote becomes a product."""

from __future__ import annotations

import errno
import mimetypes
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
from rave_core.errors import ConfigurationError, DamagedError, ProductError
from rave_core.model import Bytes, Entry, Key, OperationSpec
from rave_core.storage.cache import Cache, Destination, Encoded, EntryDraft, Found
from rave_core.storage.checked_files import CheckedFiles, open_plain
from rave_core.storage.frame import digest_file, pack, unpack
from rave_core.storage.signature import Signer
from rave_core.telemetry.diagnostics import Diagnostics

CODEC = "file"
_SUFFIXES = {
    "application/octet-stream": ".bin",
    "application/vnd.apache.arrow.file": ".arrow",
    "application/vnd.apache.arrow.stream": ".arrows",
    "application/vnd.apache.parquet": ".parquet",
    "application/x-ndjson": ".ndjson",
    "application/yaml": ".yaml",
    "image/jpeg": ".jpg",
    "image/tiff": ".tiff",
    "text/markdown": ".md",
    "text/plain": ".txt",
}
_NO_PLACE = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO))
_types = mimetypes.MimeTypes()  # the standard library's own table: alike on every host


def suffix_of(mime_type: str) -> str:
    """The file suffix of a MIME type, with its dot; ``.bin`` for one that has none."""
    plain = mime_type.partition(";")[0].strip().lower()
    return _SUFFIXES.get(plain) or _types.guess_extension(plain) or ".bin"


class ProductCache(Cache):
    """The files made by file operations: each a file of its own, with its entry beside it.

    Attributes:
        checked: opens products after a check that they are what was kept.
    """

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
        return entry, entry.product

    def prepare(self, spec: OperationSpec) -> tuple[str, ...]:
        """The path that the body writes to; outside of the store if the store is in trouble."""
        suffix = suffix_of(spec.mime_type)
        try:
            return (str(self._files.draft(suffix)),)
        except OSError as error:
            self._diagnostics.backend_failed(self.url, "take a new product", error)
            return self._outside(suffix, error)

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
        return _written(spec, prepared[0])

    def abandon(self, prepared: tuple[str, ...]) -> None:
        """Removes a draft and its directory."""
        draft = Path(prepared[0])
        self._strays.pop(prepared[0], None)
        self._files.discard(draft)
        shutil.rmtree(draft.parent, ignore_errors=True)

    def encode(self, value: Any) -> Encoded:
        """A draft already has the form in which it is kept."""
        return Encoded(value, CODEC, ())

    def put(self, key: Key, draft: EntryDraft, encoded: Encoded) -> Found:
        """Moves the draft to its place and keeps its entry, which makes it count."""
        trouble = self._strays.pop(encoded.value, None)
        if trouble is not None:
            raise trouble
        written = Path(encoded.value)
        with open_plain(encoded.value) as file:
            content, size = digest_file(file), os.fstat(file.fileno()).st_size
            name = f"{key.arguments}-{uuid4().hex[:8]}{written.suffix}"
            entry = draft(codec=CODEC, sizes=(size,), digest=content, product=name)
            path = str(self._commit(key, written, name, pack(entry, (), self.signer)))
            # By the descriptor: another file may already be at the path.
            self.checked.trust(path, entry, os.fstat(file.fileno()))
        return Found(path, entry)

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
        self._store = store
        self._seconds = seconds

    def _open(self, key: Key, located: Located) -> Found:
        entry, name = self._named(key, located)
        url = partial(self._store.url, key.text, name, seconds=self._seconds)
        return Found(Remote(url, entry.size, os.path.splitext(name)[1]), entry)


class Target(Destination):
    """A file of the caller's (``rave_tofile``), written all at once or not at all, and never kept."""

    def __init__(self, target: Any) -> None:
        self.target = target
        self._path = os.path.realpath(os.fspath(target))
        _check_writable(self._path)
        self._in_place = os.path.exists(self._path) and (
            not stat.S_ISREG(os.stat(self._path).st_mode) or not os.access(os.path.dirname(self._path), os.W_OK)
        )

    def prepare(self, spec: OperationSpec) -> tuple[str, ...]:
        """A path next to the target; elsewhere if the target is a device or a pipe, or no file can go next to it."""
        parent = None if self._in_place else os.path.dirname(self._path)
        directory = tempfile.mkdtemp(prefix=".rave-", dir=parent)
        return (os.path.join(directory, f"product{suffix_of(spec.mime_type)}"),)

    def collect(self, spec: OperationSpec, prepared: tuple[str, ...], returned: object) -> Any:
        """The caller's path, which now holds what the body wrote."""
        draft = _written(spec, prepared[0])
        try:
            if self._in_place:
                with open(draft, "rb") as source, open(self._path, "wb") as sink:
                    shutil.copyfileobj(source, sink)
            else:
                os.replace(draft, self._path)
        except OSError as error:
            raise ProductError(f"rave_tofile={self._path!r} can't be written: {error.strerror}") from error
        self.abandon(prepared)
        return self.target

    def abandon(self, prepared: tuple[str, ...]) -> None:
        """Removes the directory of the draft."""
        shutil.rmtree(os.path.dirname(prepared[0]), ignore_errors=True)


def _written(spec: OperationSpec, path: str) -> str:
    if os.path.isfile(path) and not os.path.islink(path):
        return path
    what = "is not a regular file" if os.path.lexists(path) else "does not exist"
    raise ProductError(
        f"{spec.name} returned, but its output path {what}; a file operation writes to its first argument"
    )


def _check_writable(path: str) -> None:
    parent = os.path.dirname(path)
    if os.path.isdir(path):
        raise ProductError(f"rave_tofile={path!r} is a directory; expected the name of a file")
    if not os.path.isdir(parent):
        raise ProductError(f"rave_tofile={path!r}: there is no directory {parent!r}")
    if not os.access(path if os.path.exists(path) else parent, os.W_OK):
        raise ProductError(f"rave_tofile={path!r} can't be written: permission denied")
