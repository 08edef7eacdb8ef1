"""A cache in a bucket of an object store: one object for each frame, named for its key.

prefix/operation/version/args.rave      the frame
prefix/operation/version/<name>         a product, beside its frame
prefix/.rave/                           what belongs to the store: no key has a part that starts with a dot
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from rave_backends.budget import Budget
from rave_backends.object_store.bucket import Bucket
from rave_backends.object_store.config import AzureConfig, BucketConfig, GoogleConfig, S3Config
from rave_backends.object_store.leases import ObjectLeases
from rave_backends.object_store.purger import SUFFIX, ObjectSweeper, product_name
from rave_core.backend import Backend, Purged, StoreURL, peek
from rave_core.clock import Clock, SystemClock
from rave_core.errors import BackendError, ConfigurationError
from rave_core.model import Bytes, Entry
from rave_core.text.durations import parse_duration

_ACCOUNTS: dict[str, Callable[..., BucketConfig]] = {"s3": S3Config, "gs": GoogleConfig, "az": AzureConfig}
_OPTIONS = {"s3": ("endpoint", "region", "profile"), "gs": ("endpoint",), "az": ("account", "endpoint")}

DEFAULT_TIMEOUT = 15.0
"""Seconds that one request may take, including retries."""


class ObjectStoreBackend(Backend):
    """Keeps frames in a bucket, which many processes and hosts may share.

    Opening makes no connection; trouble shows in the calls, as `BackendError`, and in ``check``. The store counts as
    shared, so it has no sealing key of its own. Products are objects, with their media type, beside their frames.
    """

    remote: ClassVar[bool] = True

    def __init__(
        self,
        config: BucketConfig,
        prefix: str = "",
        *,
        budget: Budget | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        clock: Clock | None = None,
    ) -> None:
        """The cache in the bucket of ``config``, in objects whose names start with ``prefix``.

        Args:
            config: the bucket, and the identity for access.
            prefix: without a trailing slash. Everything else in the bucket stays untouched.
            budget: how much to keep; each purge enforces it. Reads leave no trace in an object store, so ``lru`` goes
                by when an entry was put, and there is no ``lfu``.
            timeout: seconds that a request may take, including retries.
            clock: the source of time.

        Raises:
            ConfigurationError: the prefix is wrong.
        """
        if prefix and not _is_name(prefix):
            raise ConfigurationError(
                f"{prefix!r} can't be a prefix; expected parts joined by '/', none '.', '..' or empty"
            )
        clock = clock or SystemClock()
        self._bucket = Bucket(config, timeout=timeout)
        self._scheme = config.scheme
        self._prefix = f"{prefix}/" if prefix else ""
        control = f"{self._prefix}.rave/"
        self._control = control
        self._leases = ObjectLeases(self._bucket, control, clock)
        self._sweeper = ObjectSweeper(self._bucket, self._prefix, control, self._leases, clock)
        self.budget = budget or Budget()

    @classmethod
    def from_url(cls, url: StoreURL) -> ObjectStoreBackend:
        """The cache at ``s3://bucket/prefix?endpoint=…&region=…&profile=…&timeout=…``, with a `Budget`.

        Likewise ``gs://bucket/prefix?endpoint=…&timeout=…``, ``az://container/prefix?account=…&endpoint=…&timeout=…``.

        Raises:
            ConfigurationError: the URL names no bucket, or an option is wrong.
        """
        options = {name: url.take(name, _text, None) for name in _OPTIONS[url.scheme]}
        timeout = url.take("timeout", _timeout, DEFAULT_TIMEOUT)
        budget = Budget.from_url(url, policies=("lru", "cost"))
        url.done()
        if not url.host:
            raise ConfigurationError(f"{url}: no bucket is named; expected {url.scheme}://bucket/prefix")
        try:
            return cls(_ACCOUNTS[url.scheme](url.host, **options), url.path.strip("/"), budget=budget, timeout=timeout)
        except ConfigurationError as error:
            raise ConfigurationError(f"{url}: {error}") from error

    def __repr__(self) -> str:
        return f"ObjectStoreBackend('{self._scheme}://{self._bucket.name}/{self._prefix}')"

    def get(self, key: str) -> Bytes | None:
        """The frame kept under ``key``, whole, or ``None``."""
        return self._bucket.get(self._name(key))

    def head(self, key: str, size: int) -> bytes | None:
        """The first ``size`` bytes of the frame under ``key`` (fewer if it is shorter), or ``None``."""
        return self._bucket.beginning(self._name(key), size)

    def put(self, key: str, frame: Sequence[Bytes]) -> None:
        """Keeps ``frame``, given in pieces, in place of the old one. A reader sees the whole old or new frame."""
        self._bucket.put(self._name(key), frame)

    def put_unless(self, key: str, frame: Sequence[Bytes], is_better: Callable[[Bytes], bool]) -> bool:
        """Keeps ``frame`` unless the one under ``key`` is better, in one step if the store has conditional writes."""
        name, data = self._name(key), b"".join(frame)
        while True:
            seen = self._bucket.get_tagged(name)
            if seen is not None and is_better(seen.content):
                return False
            if self._leases.exchange(name, data, seen):
                return True

    def delete(self, key: str) -> bool:
        """Forgets ``key``; whether it existed just before."""
        name = self._name(key)
        if self._bucket.look(name) is None:
            return False
        self._bucket.delete([name])
        return True

    def set_aside(self, key: str) -> None:
        """Deletes a damaged frame."""
        self._bucket.delete([self._name(key)])

    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that start with ``prefix``, in no order. Those that come or go meanwhile may or may not appear.

        The store lists by whole parts of a key, so a prefix that ends in ``/`` is cheaper than one that does not.
        """
        directory, slash, _ = prefix.rpartition("/")
        if slash and not _is_name(directory):
            return
        for chunk in self._bucket.list(f"{self._prefix}{directory}{slash}"):
            for found in chunk:
                key = found.name[len(self._prefix) : -len(SUFFIX)]
                if found.name.endswith(SUFFIX) and key.startswith(prefix) and not found.name.startswith(self._control):
                    yield key

    def close(self) -> None:
        """Drops the connections."""
        self._bucket.close()

    def check(self) -> str | None:
        """Why the bucket can't be listed, read or written to, in words; ``None`` when it can."""
        try:
            next(self._bucket.list(self._control), None)
            self._bucket.put(f"{self._control}checked", [b""])
        except BackendError as error:
            return str(error)
        return None

    def notice(self) -> str | None:
        """If the store creates objects over existing ones, says so: every host then computes for itself."""
        try:
            return None if self._leases.tried().creates else self._leases.trouble()
        except BackendError:
            return None  # ``check`` reports it

    def upload(self, key: str, product: Path, name: str, frame: Sequence[Bytes]) -> None:
        """Keeps the file ``product`` as ``name`` of ``key``, then puts ``frame``, which makes the product count.

        Raises:
            ProductError: ``name`` can't be the name of a product.
        """
        target = product_name(self._name(key), name)
        media_type = peek(b"".join(frame)).mime_type
        self._bucket.upload(target, product, {"Content-Type": media_type} if media_type else {})
        self.put(key, frame)

    def download(self, key: str, name: str, path: Path) -> None:
        """Writes the product ``name`` of ``key`` to the new file ``path``.

        Raises:
            FileNotFoundError: there is no such product.
            ProductError: ``name`` can't be the name of a product.
        """
        self._bucket.download(product_name(self._name(key), name), path)

    def url(self, key: str, name: str, *, seconds: float) -> str:
        """A URL with which anyone can GET the product ``name`` of ``key`` for ``seconds``. Makes no request.

        Raises:
            ProductError: ``name`` can't be the name of a product.
        """
        return self._bucket.sign(product_name(self._name(key), name), seconds)

    def claim(self, key: str, record: bytes) -> bool:
        """Puts ``record`` as the lease of ``key`` if there is none. Exactly one of many claimants gets ``True``.

        If the store creates objects over existing ones, everybody gets ``True``; see
        `rave_backends.object_store.leases`.
        """
        return self._leases.claim(key, record)

    def lease(self, key: str) -> bytes | None:
        """The record of the lease of ``key``, or ``None`` when nobody holds one."""
        return self._leases.lease(key)

    def swap_lease(self, key: str, seen: bytes, record: bytes | None) -> bool:
        """Replaces the lease's record with ``record`` (``None`` removes it) if it is still ``seen``; whether it did."""
        return self._leases.swap(key, seen, record)

    def purge(self, is_dead: Callable[[Entry], bool], *, grace: float, seconds: float | None = None) -> Purged:
        """Removes entries for which ``is_dead``, damaged ones, what crashes left behind, and what exceeds the budget.

        With ``seconds``, it stops after about that long; the next purge with a limit continues from there.
        One purge notices a product without an entry, and a purge ``grace`` seconds later removes it.
        """
        return self._sweeper.purge(is_dead, grace, self.budget, seconds)

    def last_purge(self) -> float | None:
        """Unix time of the last purge by any process, by the store's clock; ``None`` if there was none."""
        return self._sweeper.last_purge()

    def pins(self) -> list[str]:
        """The pinned beginnings of keys, in order. Nothing below them is evicted."""
        return self._sweeper.pins.all()

    def pin(self, prefix: str) -> None:
        """From now on, no process evicts keys that start with ``prefix``. They still expire."""
        self._sweeper.pins.add(prefix)

    def unpin(self, prefix: str) -> bool:
        """Removes a pin; whether it existed."""
        return self._sweeper.pins.remove(prefix)

    def _name(self, key: str) -> str:
        if not _is_name(key) or key[0] == "." or "/." in key:
            raise BackendError(f"{key!r} is not a key; expected parts joined by '/', none empty or starting with a dot")
        return f"{self._prefix}{key}{SUFFIX}"


def _is_name(text: str) -> bool:
    return text.isprintable() and not {"", ".", ".."} & set(text.split("/"))


def _text(text: str) -> str:
    if not text:
        raise ValueError("it is empty; leave it out where nothing is meant")
    return text


def _timeout(text: str) -> float:
    seconds = parse_duration(text)
    if not 0.1 <= seconds <= 3600:
        raise ValueError("expected a time from 0.1s to 1h")
    return seconds
