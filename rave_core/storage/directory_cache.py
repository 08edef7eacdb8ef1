"""Directories as products: kept as one archive each, and given out as a read-only directory unpacked from it."""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from rave_core.backend import Located, SupportsUnpacking
from rave_core.errors import DamagedError
from rave_core.model import Entry, Key, OperationSpec
from rave_core.storage.cache import Cache, Encoded, Found
from rave_core.storage.checked_files import open_plain
from rave_core.storage.digests import algorithm_of
from rave_core.storage.directory_archive import unpack_archive, write_archive
from rave_core.storage.directory_tree import Member, make_read_only, members, state_of
from rave_core.storage.frame import EntryDraft, pack
from rave_core.storage.product_cache import ProductCache, new_name
from rave_core.storage.written import check_directory

SUFFIX = ".tar"
_MOST = 10_000


class DirectoryCache(ProductCache):
    """The directories made by file operations: each one archive in the store, which every product cache can keep.

    Python gets a copy of the archive, unpacked where nobody else can change it. A copy counts while its names, modes
    and contents give the archive's digest; any other is replaced. Statuses tell whether anybody touched it since that
    was last checked.

    Attributes:
        archives: the same products, found as the paths of their archives.
    """

    codec = "directory"

    def __init__(self, products: ProductCache) -> None:
        """The directories in the store of ``products``."""
        super().__init__(products.backend, products.url, products.signer, products._diagnostics)
        self.checked = products.checked
        self.archives = _Archives(products.backend, products.url, products.signer, products._diagnostics)
        self.archives.checked = self.checked
        self._spare = _TemporaryPlace()
        self._place = products.backend.capability(SupportsUnpacking) or self._spare
        self._seen: dict[str, tuple[bytes, str]] = {}

    def archive_of(self, path: str, entry: Entry | None) -> str:
        """The path of the archive of the directory ``path``, an answer of this cache.

        Args:
            path: the directory.
            entry: what is kept of it; if that is nothing, the archive is written beside the directory.

        Raises:
            OSError: it can't be written.
        """
        if entry is not None and entry.product is not None:
            return str(self._files.locate(entry.key, entry.product))
        archive = f"{path}{SUFFIX}"
        if not os.path.exists(archive):
            draft, temporary = tempfile.mkstemp(dir=os.path.dirname(path))
            with open(draft, "wb") as sink:
                write_archive(path, members(path), sink)
            os.replace(temporary, archive)
        return archive

    def _new(self, suffix: str) -> str:
        return _made(str(self._files.draft("")))

    def _outside(self, suffix: str, error: Exception) -> tuple[str, ...]:
        return (_made(super()._outside("", error)[0]),)

    def collect(self, spec: OperationSpec, prepared: tuple[str, ...], returned: object) -> str:
        """The path of the directory that the body wrote; raises `ProductError` if it can't be kept."""
        check_directory(spec, prepared[0])
        return prepared[0]

    def put(self, key: Key, draft: EntryDraft, encoded: Encoded) -> Found:
        """Keeps the archive of a directory and its entry, which makes it count; then the directory becomes its copy."""
        self._check_inside(encoded.value)
        directory, archive = str(encoded.value), self._files.draft(SUFFIX)
        found = members(directory)
        is_own = all(_is_own(member) for member in found)
        if is_own:
            make_read_only(directory, found)
            found = members(directory)
        try:
            with open(archive, "xb") as sink:
                digest, size = write_archive(directory, found, sink, self.signer.algorithm)
            name = new_name(key, SUFFIX)
            entry = draft(codec=self.codec, sizes=(size,), digest=digest, product=name)
            self._commit(key, archive, name, pack(entry, (), self.signer))
        finally:
            self._files.discard(archive)
        path = self._given(key, directory, found, entry) if is_own else self._unpacked(key, name, entry)
        if path != directory:
            self._files.discard(Path(directory))
        return Found(path, entry)

    def _given(self, key: Key, directory: str, found: Sequence[Member], entry: Entry) -> str:
        """The path of the copy that the directory became; its own path if it can't be moved."""
        assert entry.product is not None  # it was just put
        try:
            return self._placed(key, directory, state_of(found), entry, self._place)
        except OSError as error:
            self._diagnostics.backend_failed(self.url, "keep an unpacked directory", error)
            return directory

    def _placed(self, key: Key, directory: str, state: bytes, entry: Entry, place: SupportsUnpacking) -> str:
        """The path of the copy that ``directory`` became, whose members had ``state`` when they were checked."""
        assert entry.product is not None  # it names an archive
        path = str(place.keep_unpacked(key.text, Path(directory), entry.product))
        os.chmod(path, 0o555)  # noqa: S103  # nobody else can enter the place
        self._trust(path, state, entry)
        return path

    def _open(self, key: Key, located: Located) -> Found:
        entry, name = self._named(key, located)
        for place in (self._place, self._spare):
            path = str(place.unpacked(key.text, name))
            if self._is_sound(path, entry):
                return Found(path, entry)
        return Found(self._unpacked(key, name, entry), entry)

    def _is_sound(self, path: str, entry: Entry) -> bool:
        """Whether the directory ``path`` holds what the archive of ``entry`` does."""
        try:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                return False
            found = members(path)
            state = state_of(found)
            if self._seen.get(path) == (state, entry.digest):
                return True
            if write_archive(path, found, algorithm=algorithm_of(entry.digest))[0] != entry.digest:
                return False
        except OSError:
            return False
        self._trust(path, state, entry)
        return True

    def _trust(self, path: str, state: bytes, entry: Entry) -> None:
        if len(self._seen) >= _MOST:
            self._seen.clear()
        self._seen[path] = (state, entry.digest)

    def _unpacked(self, key: Key, name: str, entry: Entry) -> str:
        """The path of a new copy of a kept directory; a temporary one if the store has no room for it.

        Raises:
            DamagedError: the archive is gone, or is not what was kept.
            OSError: it can't be read or unpacked.
        """
        try:
            archive = str(self._files.fetch(key.text, name))
            file = open_plain(archive)
        except FileNotFoundError:
            raise DamagedError(f"{key}: the product {name} is gone") from None
        with file:
            status = os.fstat(file.fileno())
            try:
                path = self._copied(key, entry, file, self._files, self._place)
            except OSError as error:
                self._diagnostics.backend_failed(self.url, "unpack a directory", error)
                file.seek(0)
                path = self._copied(key, entry, file, self._spare, self._spare)
        self.checked.trust(archive, entry, status)
        return path

    def _copied(self, key: Key, entry: Entry, archive: BinaryIO, drafts: _Drafts, place: SupportsUnpacking) -> str:
        draft = drafts.draft("")
        try:
            if unpack_archive(archive, _made(str(draft)), algorithm_of(entry.digest)) != entry.digest:
                raise DamagedError(f"{key}: the archive does not have the digest that its entry holds")
            path = str(place.unpacked(key.text, entry.product or ""))
            if self._is_sound(path, entry):  # another process was faster
                return path
            return self._placed(key, str(draft), state_of(members(str(draft))), entry, place)
        finally:
            drafts.discard(draft)

    def elsewhere_for(self, seconds: float) -> Cache:
        """See `ProductCache.elsewhere_for`: what is left where it is, or else the path of a product, is an archive."""
        return self.archives.elsewhere_for(seconds)

    def fetcher(self, encoded: Encoded) -> Callable[[], str]:
        """The path of the draft, which stays where it is."""
        return lambda: str(encoded.value)


def _is_own(member: Member) -> bool:
    """Whether we may take the permission to write to a member: another user's, or one linked from elsewhere, stays."""
    status = member.status
    return status.st_uid == os.geteuid() and (member.is_directory or status.st_nlink == 1)


class _Archives(ProductCache):
    """Directories as the files that the store keeps."""

    codec = DirectoryCache.codec


class _Drafts(Protocol):
    def draft(self, suffix: str) -> Path: ...
    def discard(self, draft: Path) -> None: ...


class _TemporaryPlace:
    """Copies in the directory for temporary files, until this process exits, if the store has no place for them."""

    def __init__(self) -> None:
        self._root: str | None = None

    def draft(self, suffix: str) -> Path:
        return Path(tempfile.mkdtemp(dir=self._made_root()), f"product{suffix}")

    def discard(self, draft: Path) -> None:
        _remove_tree(str(draft.parent))

    def unpacked(self, key: str, name: str) -> Path:
        return Path(self._root or os.devnull, name.removesuffix(SUFFIX))

    def keep_unpacked(self, key: str, draft: Path, name: str) -> Path:
        path = Path(self._made_root(), name.removesuffix(SUFFIX))
        if path.exists():
            path.rename(tempfile.mkdtemp(dir=self._root))
        shutil.move(draft, path)
        return path

    def _made_root(self) -> str:
        if self._root is None:
            self._root = tempfile.mkdtemp(prefix="rave-")
            atexit.register(_remove_at_exit, self._root, os.getpid())
        return self._root


def _remove_at_exit(path: str, process: int) -> None:
    if os.getpid() == process:  # and not a forked child
        _remove_tree(path)


def _remove_tree(path: str) -> None:
    for directory, _, _ in os.walk(path):
        os.chmod(directory, 0o700)
    shutil.rmtree(path, ignore_errors=True)


def _made(path: str) -> str:
    os.mkdir(path, 0o700)
    return path
