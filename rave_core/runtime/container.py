"""Opening what the settings name: backends, seals, caches, leases; and the engine over them."""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from rave_core.arguments.binder import Binder
from rave_core.backend import Backend, StoreURL, SupportsFiles, SupportsLease, SupportsLeaseOwners, SupportsObjects
from rave_core.clock import Clock
from rave_core.engine.compute import Compute
from rave_core.engine.engine import Engine
from rave_core.engine.execution import ResolvedOperation
from rave_core.errors import ConfigurationError, UnencodableError, UnknownNameError
from rave_core.expiry import Strategy, duration_strategy, forever, strategy_of
from rave_core.fingerprint.builtins import PUTS
from rave_core.model import Kind, OperationSpec
from rave_core.plugins.discovery import Plugins
from rave_core.runtime.names import NameRegistry, operation_name
from rave_core.runtime.purging import Maintenance
from rave_core.runtime.version_finder import VersionFinder
from rave_core.settings import Settings
from rave_core.settings.sources import user_directory
from rave_core.settings.trust import trusted
from rave_core.storage.cache import Cache, ValueCache
from rave_core.storage.directory_cache import DirectoryCache
from rave_core.storage.leases import Leases
from rave_core.storage.product_cache import ProductCache
from rave_core.storage.signature import Signer, load_key
from rave_core.storage.silence import SilentHolders
from rave_core.telemetry.diagnostics import Diagnostics
from rave_core.versions import epochs
from rave_core.versions.manifests import manifests

_log = logging.getLogger("rave")

COPIES = "max_bytes=10GiB"
"""The default options of the directory with copies of products that are kept elsewhere."""


class Container:
    """Everything that one runtime holds open. A forked child makes its own.

    Attributes:
        cache, products: the configured caches of values and of files.
        engine: answers calls.
        on_close: called first when it closes.
        maintenance: purges.
        memos: those of the operations called here; see `rave_core.operations.call_cache.CallMemo`.
    """

    def __init__(self, settings: Settings, plugins: Plugins, clock: Clock, diagnostics: Diagnostics) -> None:
        self._settings = settings
        self._plugins = plugins
        self._clock = clock
        self._diagnostics = diagnostics
        self._caches: dict[tuple[Kind, tuple[str, ...]], Cache] = {}
        self._leases: dict[int, Leases | None] = {}
        self._names = NameRegistry()
        epochs.listen(self)
        self._versions = VersionFinder(settings, plugins)
        self.memos: weakref.WeakSet[Any] = weakref.WeakSet()
        self.on_close: list[Callable[[], None]] = []
        compute = Compute(clock, diagnostics, plugins.hooks, settings)
        self.engine = Engine(clock, diagnostics, compute)
        self.cache = self.open(Kind.DATA, settings.cache)
        self.products = self.open(Kind.FILE, settings.products)
        self._directories: dict[int, DirectoryCache] = {}
        self.maintenance = Maintenance(settings, clock, self.cache, self.products)
        compute.after_put = self.maintenance.after_put

    def open(self, kind: Kind, urls: Sequence[str]) -> Cache:
        """The cache for results of ``kind`` at ``urls``, opened once.

        Raises:
            ConfigurationError: a URL or an option in it is wrong, or the backend can't keep this kind.
        """
        if kind is Kind.DIRECTORY:
            return self._directories_in(self.open(Kind.FILE, urls))
        place = (kind, tuple(urls))
        if place not in self._caches:
            backend = open_backend(urls, self._plugins)
            has_objects = backend.capability(SupportsObjects) is not None
            if kind is Kind.FILE and has_objects and backend.capability(SupportsFiles) is None:
                backend = layers_of([open_backend([_copies_url(urls)], self._plugins), backend], self._plugins)
            self._caches[place] = self._cache(kind, backend, " over ".join(map(shown_url, urls)))
        return self._caches[place]

    def _directories_in(self, products: Cache) -> Cache:
        """The cache of directories in the same store as ``products``."""
        if id(products) not in self._directories and isinstance(products, ProductCache):
            self._directories[id(products)] = DirectoryCache(products)
        return self._directories.get(id(products), products)

    def _cache(self, kind: Kind, backend: Backend, url: str) -> Cache:
        signer = open_seal(self._settings, backend)
        if kind is Kind.FILE:
            return ProductCache(backend, url, signer, self._diagnostics)
        data_only = self._settings.data_only or not signer.trusted
        if data_only and not self._settings.data_only:
            _log.warning(
                "cache %s counts as shared, and there is no signing_key_file: values that need pickle are neither kept "
                "nor read; set one, or choose a directory that only you can enter",
                url,
            )
        return ValueCache(backend, url, signer, self._diagnostics, codecs=self._plugins.codecs, data_only=data_only)

    def resolved(self, spec: OperationSpec) -> ResolvedOperation:
        """The resolved operation, which answers calls.

        Raises:
            ConfigurationError: it names a strategy or version strategy that does not exist.
            DuplicateError: another operation has its name.
        """
        name, plugin = operation_name(spec)
        self._names.claim(name, spec)
        version = self._versions.find(spec)
        manifests.write(name, version.text, version.nodes)
        cache = self.cache_of(spec)
        return ResolvedOperation(
            spec=spec,
            name=name,
            binder=self._binder(spec, name, version.text),
            cache=cache,
            leases=self._lease_store(cache),
            strategy=self._strategy(spec, name),
            record=self._diagnostics.statistics.record(name),
            version=version,
            argument_nodes=self._versions.argument_nodes,
            plugin=plugin,
        )

    def check(self, spec: OperationSpec) -> str:
        """The full name of an operation, once all that it names exists. Its code is not looked at: that can take 0.1 s.

        Raises:
            ConfigurationError, DuplicateError: as `resolved`.
        """
        name, _ = operation_name(spec)
        self._names.claim(name, spec)
        self._versions.check(spec)
        self.cache_of(spec)
        self._binder(spec, name, "")
        self._strategy(spec, name)
        return name

    def cache_of(self, spec: OperationSpec) -> Cache:
        """The cache for the results of an operation. Its code is not looked at.

        Raises:
            ConfigurationError: a plugin chose a URL that is wrong, or can't keep results of this kind.
        """
        url = self._plugins.hooks.rave_choose_backend(spec=spec)
        if url is not None:
            return self.open(spec.kind, (url,))
        if spec.kind is Kind.DIRECTORY:
            return self._directories_in(self.products)
        return self.products if spec.kind is Kind.FILE else self.cache

    def _binder(self, spec: OperationSpec, name: str, version: str) -> Binder:
        def unencodable(error: UnencodableError) -> None:
            self._diagnostics.uncached(spec, name, error)

        code_of = self._versions.argument_code(spec)
        return Binder(spec, name, version, typemap=spec.typemap, unencodable=unencodable, code_of=code_of)

    def code_changed(self) -> None:
        """Makes all operations determine their versions again with their next call."""
        for memo in list(self.memos):
            memo.expire()
        self._versions.code_changed()
        PUTS.clear()  # which knows what classes are

    def release(self, namespace: str) -> None:
        """Releases the operations of a namespace's code that no longer serves, or never did.

        Their names are free again, and nothing here keeps them alive; calls of them go on.
        """
        self._names.release(namespace)
        PUTS.clear()  # which knows its classes

    def _lease_store(self, cache: Cache) -> Leases | None:
        backend = cache.backend
        if id(backend) not in self._leases:
            settings = self._settings
            store = backend.capability(SupportsLease)
            self._leases[id(backend)] = (
                Leases(
                    store,
                    self._clock,
                    lease_time=settings.lease_time,
                    heartbeat=settings.heartbeat,
                    report=partial(self._diagnostics.backend_failed, cache.url),
                    silent=SilentHolders(backend.capability(SupportsLeaseOwners), self._clock, cache.url),
                )
                if store is not None
                else None
            )
        return self._leases[id(backend)]

    def _strategy(self, spec: OperationSpec, name: str) -> Strategy:
        note: Any = spec.expires
        if note is None:
            note = self._plugins.hooks.rave_default_strategy(spec=spec)
        if note is None:
            files = spec.kind.is_written
            seconds = self._settings.products_expire_after if files else self._settings.data_expire_after
            return forever if seconds is None else duration_strategy(seconds)
        try:
            return strategy_of(note, self._plugins.strategies.find)
        except ConfigurationError as error:
            raise ConfigurationError(f"{name}: {error}") from error

    def close(self) -> None:
        """Calls ``on_close``, and closes the backends; each in its turn, even if one before fails."""
        for close in self.on_close:
            try:
                close()
            except Exception:  # noqa: BLE001  # a plugin's pool may raise anything, and the stores are still open
                _log.exception("what a runtime kept open could not be closed")
        for cache in self._caches.values():
            try:
                cache.backend.close()
            except Exception as error:  # noqa: BLE001  # a store may raise anything, and the others are still open
                self._diagnostics.backend_failed(cache.url, "close", error)


def open_backend(urls: Sequence[str], plugins: Plugins) -> Backend:
    """The backend at ``urls``, small and near first, as ``rave_layer_backends`` puts them into layers.

    Raises:
        ConfigurationError: a URL, its scheme or one of its options is wrong, or nothing layers backends.
    """
    opened = []
    for text in urls:
        url = StoreURL(text)
        try:
            factory = plugins.backends.find(url.scheme)
        except UnknownNameError as error:
            hint = "" if plugins.backends else "; is rave-framework installed in this environment?"
            raise ConfigurationError(f"{url}: {error}{hint}") from error
        opened.append(factory(url))
    return layers_of(opened, plugins)


def layers_of(backends: list[Backend], plugins: Plugins) -> Backend:
    """Backends, near first, as one.

    Raises:
        ConfigurationError: there are several, and no plugin puts them into layers.
    """
    layered: Backend | None = plugins.hooks.rave_layer_backends(backends=backends)
    if layered is not None:
        return layered
    if len(backends) == 1:
        return backends[0]
    raise ConfigurationError(f"no plugin puts {len(backends)} backends into layers; give one URL")


def open_seal(settings: Settings, backend: Backend) -> Signer:
    """The seal of a store: by the configured keys, else by the store's own secret, else an untrusted one."""
    if settings.signing_key_file:
        files = (settings.signing_key_file, *settings.old_signing_key_files)
        believed = frozenset(trusted())
        return Signer(*(load_key(file, trusted=believed) for file in files))
    secret = backend.secret()
    return Signer(secret, private=_is_private(backend)) if secret else Signer()


def _is_private(backend: Backend) -> bool:
    """Whether nobody else can write in any layer."""
    layers: Sequence[Backend] = getattr(backend, "layers", ())
    return all(map(_is_private, layers)) if layers else backend.secret() is not None


def _copies_url(urls: Sequence[str]) -> str:
    """The user's directory for copies of products that are kept elsewhere; one for each such store."""
    store = blake2b(" ".join(map(shown_url, urls)).encode(), digest_size=8).hexdigest()
    return f"file://{quote(str(user_directory('cache', os.environ) / 'copies' / store))}?{COPIES}"


def shown_url(text: str) -> str:
    """A backend's URL without credentials."""
    return StoreURL(text).text
