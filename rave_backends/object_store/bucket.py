"""One bucket of an object store. Only this and `rave_backends.object_store.config` touch its client, obstore."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from rave_backends.object_store.bucket_errors import advice, code_of
from rave_backends.object_store.config import BucketConfig
from rave_core.errors import BackendError
from rave_core.model import Bytes

_CONNECTING = 5.0
_RETRIES = 3
_DELETIONS = 6
_PAUSE, _LONGEST_PAUSE = 0.05, 0.4
"""Seconds until a deletion that failed by itself is tried again; each further pause is twice as long."""
_PART = 8 << 20  # larger content goes in parts
_AT_ONCE = 2
_LISTED = 1000

_used_in: set[int] = set()  # the client's threads belong to the process, not to one bucket


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a list shows it; ``changed_at`` is Unix time by the store's clock."""

    name: str
    size: int
    changed_at: float


@dataclass(frozen=True, slots=True)
class Tagged:
    """An object's content, and what identifies this state of it: its ETag, and its version if there is one."""

    content: bytes
    tag: str
    version: str | None


class Bucket:
    """Objects by name. Safe for threads; no call takes longer than ``timeout`` for each request that it makes.

    The first call connects. Every call raises `BackendError` for trouble, naming the bucket, the endpoint and what to
    do. The client does not work in a process forked from one that has already used it: there, every call raises at
    once.
    """

    def __init__(self, config: BucketConfig, *, timeout: float) -> None:
        """The bucket of ``config``."""
        self.name = config.name
        self._config = config
        self._timeout = timeout
        self._store: Any = None
        self._lock = threading.RLock()

    def __str__(self) -> str:
        return str(self._config)

    def get(self, name: str) -> memoryview | None:
        """The whole object, or ``None``."""
        with self._words("get"):
            try:
                return memoryview(self._client().get(name).bytes())
            except FileNotFoundError as error:
                _refuse_missing_bucket(error)
                return None

    def get_tagged(self, name: str) -> Tagged | None:
        """The whole object, and what identifies this state of it; or ``None``."""
        with self._words("get"):
            try:
                result = self._client().get(name)
                content, meta = bytes(result.bytes()), result.meta
                return Tagged(content, meta["e_tag"] or "", meta.get("version"))
            except FileNotFoundError as error:
                _refuse_missing_bucket(error)
                return None

    def beginning(self, name: str, size: int) -> bytes | None:
        """The first ``size`` bytes of the object, fewer if it is shorter; or ``None``."""
        if size <= 0:
            return None if self.look(name) is None else b""
        with self._words("get a part of"):
            try:
                return bytes(self._client().get_range(name, start=0, length=size))
            except FileNotFoundError as error:
                _refuse_missing_bucket(error)
                return None
            except _errors().GenericError as error:
                if "416" in str(error):
                    return b""  # an empty object has no range to ask for
                if "non-partial" not in str(error):
                    raise
        whole = self.get(name)  # some stores send the whole object if the range covers it
        return None if whole is None else bytes(whole[:size])

    def look(self, name: str) -> Listed | None:
        """Metadata of the object; ``None`` if it, or the whole bucket, is missing."""
        with self._words("look at"):
            try:
                return _listed(self._client().head(name))
            except FileNotFoundError as error:
                _refuse_missing_bucket(error)
                return None

    def put(self, name: str, pieces: Sequence[Bytes]) -> None:
        """Puts an object in place of the old one. A reader sees the whole old or new object."""
        views = [memoryview(piece).cast("B") for piece in pieces]
        with self._words("put"):
            if sum(map(len, views)) <= _PART:
                self._client().put(name, b"".join(views), use_multipart=False)
            else:
                self._client().put(name, iter(views), use_multipart=True, chunk_size=_PART, max_concurrency=_AT_ONCE)

    def upload(self, name: str, path: Path, attributes: Mapping[str, str]) -> None:
        """Puts the content of a file in parts, with little of it in memory. ``attributes`` are headers for readers.

        Raises:
            FileNotFoundError: there is no such file.
        """
        with path.open("rb") as file, self._words("upload"):
            many = os.fstat(file.fileno()).st_size > _PART
            self._client().put(
                name,
                file,
                attributes=dict(attributes),
                use_multipart=many,
                chunk_size=_PART,
                max_concurrency=_AT_ONCE,
            )

    def download(self, name: str, path: Path) -> None:
        """Writes an object to a new file, part by part, each in a request of its own.

        Raises:
            FileNotFoundError: there is no such object.
        """
        found = self.look(name)
        if found is None:
            raise FileNotFoundError(f"{self}: there is no object {name!r}")
        with path.open("xb") as file:
            for start in range(0, found.size, _PART):
                part = self._part(name, start, min(_PART, found.size - start))
                file.write(part)

    def _part(self, name: str, start: int, length: int) -> memoryview:
        with self._words("download"):
            try:
                return memoryview(self._client().get_range(name, start=start, length=length))
            except FileNotFoundError as error:
                _refuse_missing_bucket(error)
                raise BackendError(f"{self}: the object {name!r} disappeared while it was downloaded") from error

    def sign(self, name: str, seconds: float) -> str:
        """A URL with which anyone can GET the object for ``seconds``. Makes no request."""
        from obstore import sign

        with self._words("sign a URL of"):
            return sign(self._client(), "GET", name, timedelta(seconds=seconds))

    def create(self, name: str, data: bytes) -> bool:
        """Puts an object if there is none; whether it did. Stores without that condition always put it."""
        with self._words("create"):
            try:
                self._client().put(name, data, mode="create", use_multipart=False)
            except _errors().AlreadyExistsError:
                return False
            return True

    def replace(self, name: str, data: bytes, tag: str, version: str | None = None) -> bool:
        """Puts an object in place of the one with the ETag ``tag`` and this version; whether it did."""
        mode = {"e_tag": tag, "version": version} if version else {"e_tag": tag}
        with self._words("replace"):
            try:
                self._client().put(name, data, mode=mode, use_multipart=False)
            except (_errors().PreconditionError, FileNotFoundError) as error:
                _refuse_missing_bucket(error)
                return False
            return True

    def delete(self, names: Sequence[str]) -> None:
        """Deletes objects; missing ones are no error."""
        for left in range(_DELETIONS if names else -1, -1, -1):
            with self._words("delete"):
                try:
                    self._client().delete(list(names))
                    return
                except FileNotFoundError as error:
                    _refuse_missing_bucket(error)
                    return
                except _errors().GenericError as error:
                    # Each deletion in one request may fail by itself, for example while somebody overwrites the object.
                    if not left or "DeleteObjects request failed for key" not in str(error):
                        raise
            threading.Event().wait(min(_PAUSE * 2 ** (_DELETIONS - left), _LONGEST_PAUSE))

    def list(self, directory: str, *, after: str | None = None) -> Iterator[list[Listed]]:
        """The objects whose names start with ``directory`` (empty, or up to a slash), by the thousand at most.

        They are sorted by name; those up to the name ``after`` are left out.
        """
        with self._words("list"):
            stream = self._client().list(directory.rstrip("/") or None, offset=after, chunk_size=_LISTED)
        while True:
            with self._words("list"):
                chunk = next(stream, None)
            if chunk is None:
                return
            found = [_listed(meta) for meta in chunk]
            # Azure's emulator, for one, ignores the offset and lists from the start.
            found = [each for each in found if after is None or each.name > after]
            if found:
                yield found

    def close(self) -> None:
        """Drops the client; a later call creates another."""
        self._store = None

    def _client(self) -> Any:
        pid = os.getpid()
        if _used_in - {pid}:
            # The client's threads did not survive the fork: it would wait for them forever.
            raise BackendError(
                f"{self}: an object store can't be used in a process that was forked after it was first used; "
                "start the process by spawn or forkserver, or use the store only after the fork"
            )
        _used_in.add(pid)
        with self._lock:
            if self._store is None:
                self._store = self._made()
            return self._store

    def _made(self) -> Any:
        seconds = self._timeout / 3
        endpoint = self._config.endpoint or ""
        return self._config.client(
            {
                "client_options": {
                    "allow_http": endpoint.startswith("http:"),
                    "connect_timeout": timedelta(seconds=min(_CONNECTING, 2 * seconds)),
                    "timeout": timedelta(seconds=2 * seconds),
                },
                # No retry starts after a third of the time, and none takes more than the other two.
                "retry_config": {
                    "max_retries": _RETRIES,
                    "retry_timeout": timedelta(seconds=seconds),
                    "backoff": {
                        "init_backoff": timedelta(milliseconds=50),
                        "max_backoff": timedelta(seconds=min(1.0, seconds / _RETRIES)),
                        "base": 2,
                    },
                },
            }
        )

    @contextmanager
    def _words(self, action: str) -> Iterator[None]:
        try:
            yield
        except BackendError:
            raise
        except (_errors().BaseError, OSError, ValueError) as error:
            raise BackendError(f"{self}: can't {action} an object: {advice(error, self._config)}") from error
        except BaseException as error:
            if type(error).__name__ != "PanicException":
                raise
            # This is how the client gives up on a nonsensical answer; a handler of Exception would miss it.
            raise BackendError(f"{self}: can't {action} an object: its answer is not valid: {error}") from error


def _errors() -> Any:
    from obstore import exceptions

    return exceptions


def _refuse_missing_bucket(error: BaseException) -> None:
    if code_of(error) in ("NoSuchBucket", "ContainerNotFound") or "container does not exist" in str(error):
        raise error


def _listed(meta: Mapping[str, Any]) -> Listed:
    return Listed(meta["path"], meta["size"], meta["last_modified"].timestamp())
