"""Opening a document store by its URL."""

from __future__ import annotations

from rave_core.clock import Clock, SystemClock
from rave_core.documents.store import DocumentStore
from rave_core.errors import ConfigurationError, UnknownNameError
from rave_core.plugins.discovery import Plugins
from rave_core.text.secrets import without_secrets


def open_store(url: str, *, plugins: Plugins | None = None, clock: Clock | None = None) -> DocumentStore:
    """The document store at ``url``, such as ``sqlite:////var/lib/rave/documents.sqlite``.

    Args:
        url: ``sqlite:///path``, ``postgresql+psycopg://user@host/database``, or a scheme of a plugin.
        plugins: where schemes are looked up; the installed ones by default.
        clock: for the times of documents; the machine's by default.

    Raises:
        ConfigurationError: the URL or its scheme is wrong, or a driver is not installed.
        StoreAwayError: the store can't be reached.
        LaterSchemaError: a later version of RAVE made it.
    """
    scheme, sign, _ = url.partition("://")
    if not sign:
        raise ConfigurationError(
            f"{without_secrets(url)!r} is not the URL of a document store: expected one such as sqlite:////path"
        )
    stores = (plugins if plugins is not None else Plugins.installed()).documents
    try:
        factory = stores.find(scheme.lower())
    except UnknownNameError as error:
        hint = "" if stores else "; is rave-framework installed in this environment?"
        raise ConfigurationError(f"no document store is at {scheme}://…: {error}{hint}") from None
    store = factory(url, clock if clock is not None else SystemClock())
    if not isinstance(store, DocumentStore):
        raise ConfigurationError(f"{stores.origin(scheme.lower())} opened no DocumentStore for {scheme}://…: {store!r}")
    return store
