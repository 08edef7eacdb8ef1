"""Namespaces that documents list: which directories are served, for all workers on all hosts that share the store."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
from collections.abc import Callable
from typing import Final

from rave_core.documents import Change, Document, DocumentStore, Metadata, Mirror
from rave_core.errors import ConfigurationError, StoreAwayError
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.settings import ServiceSettings

_NAME: Final = re.compile(r"[A-Za-z_][\w-]{0,99}", re.ASCII)
_log = logging.getLogger("rave.http")


class ListedNamespaces:
    """Serves what a collection lists: the key of a document is a namespace, its content a directory below a root.

    A commit counts at once; a deleted document ends its namespace. While the store is away, what was listed stays. What
    can't be served is logged, and changes nothing; `problems` tells of it until a later version can be. Nothing outside
    of the root is ever served by a document.
    """

    def __init__(
        self, own: ServiceSettings, documents: Callable[[], DocumentStore], namespaces: LiveNamespaces
    ) -> None:
        """Reads nothing yet, and never does if the settings name no collection."""
        self._collection = own.namespaces
        self._root = os.path.realpath(own.namespace_root or os.devnull)
        self._fixed = frozenset(namespaces.directories)
        self._documents = documents
        self._namespaces = namespaces
        self._applied: dict[str, int] = {}
        self._problems: dict[str, str] = {}
        self._mirror: Mirror | None = None
        self._lock = threading.Lock()
        self._away = ""

    def follow(self) -> None:
        """Serves what is listed, and follows the list until the store is closed. Call it again after it was away."""
        if not self._collection or self._mirror is not None:
            return
        try:
            self._mirror = Mirror(self._documents(), [self._collection], on_change=self._changed)
        except StoreAwayError as error:
            if not self._away:
                _log.error("the namespaces listed in %s are not served yet: %s", self._collection, error)
            self._away = f"those listed in {self._collection} are not served yet: {error}"
            return
        self._away = ""
        for document in self._mirror.documents(self._collection, deleted=True):
            if not self._apply(document):
                self._serve_earlier(document.metadata)

    def problems(self) -> dict[str, str]:
        """What is listed and can't be served, by ``namespace NAME``; ``namespaces`` while the list can't be read."""
        with self._lock:
            found = {f"namespace {name}": wrong for name, wrong in self._problems.items()}
        return {**found, "namespaces": self._away} if self._away else found

    def _changed(self, change: Change) -> None:
        document = None if self._mirror is None else self._mirror.get(self._collection, change.metadata.key)
        if document is not None:  # else ``follow`` is about to read it
            self._apply(document)

    def _apply(self, document: Document) -> bool:
        """Serves what a document says, unless that version of it, or a later one, was heard of already.

        Returns whether it can be served.
        """
        known = document.metadata
        with self._lock:
            if self._applied.get(known.key, 0) >= known.version:
                return True
            self._applied[known.key] = known.version
            self._problems.pop(known.key, None)
            try:
                self._serve(known.key, document.payload)
            except (ConfigurationError, ValueError) as error:
                what = f"{self._collection}: version {known.version} of {known.key!r} changes nothing: {error}"
                self._problems[known.key] = what
                _log.error("%s", what)
                return False
        return True

    def _serve_earlier(self, wrong: Metadata) -> None:
        """Serves the latest version before one that can't be served, as workers do that heard of both."""
        store = self._documents()
        for each in store.history(self._collection, wrong.key):
            document = store.get(self._collection, wrong.key, each.version) if each.version < wrong.version else None
            with self._lock, contextlib.suppress(ConfigurationError, ValueError):
                if self._applied[wrong.key] > wrong.version:
                    return
                if document is not None:
                    self._serve(wrong.key, document.payload)
                    return

    def _serve(self, name: str, payload: bytes | None) -> None:
        """Serves the directory that a payload names; none for ``None``.

        Raises:
            ConfigurationError, ValueError: it can't be served under this name.
        """
        if name in self._fixed:
            if payload is not None:
                raise ConfigurationError(f"namespace {name!r} is in the settings; that one stays")
        elif payload is None:
            self._namespaces.drop(name)
        else:
            self._namespaces.place(name, self._directory(name, payload))

    def _directory(self, name: str, payload: bytes) -> str:
        """The directory that a document names.

        Raises:
            ValueError: it is none below the root, or the key can't be the name of a namespace.
        """
        if not _NAME.fullmatch(name):
            raise ValueError("a namespace is called by letters, digits, '-' and '_'")
        text = payload.decode().strip()
        if not text or "\0" in text or os.path.isabs(text):
            raise ValueError(f"expected a directory, written relative to {self._root}, not {text[:200]!r}")
        place = os.path.realpath(os.path.join(self._root, text))
        if not place.startswith(self._root.rstrip(os.sep) + os.sep) or not os.path.isdir(place):
            raise ValueError(f"{text[:200]!r} is no directory below {self._root}")
        return place
