"""Opening documents by the URL of a database."""

from __future__ import annotations

from typing import Final

from sqlalchemy import exc
from sqlalchemy.engine import make_url

from rave_backends.documents.postgresql import PostgresDatabase
from rave_backends.documents.sqlite import SqliteDatabase
from rave_backends.documents.store import SqlDocumentStore
from rave_core.backend import parse_size
from rave_core.clock import Clock
from rave_core.documents import DocumentStore
from rave_core.errors import ConfigurationError

MAX_PAYLOAD: Final = 16 << 20
"""The default of ``max_payload``."""


def open_documents(url: str, clock: Clock) -> DocumentStore:
    """The documents at a URL of SQLAlchemy; its option ``max_payload`` is RAVE's, the others are the driver's.

    Raises:
        ConfigurationError: the URL or an option is wrong, or the driver is not installed.
        StoreAwayError: the database can't be reached.
        LaterSchemaError: a later version of RAVE made its tables.
    """
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        scheme = url.partition("://")[0]
        raise ConfigurationError(
            f"the URL {scheme}://… of the documents can't be read: expected sqlite:////absolute/path or "
            "postgresql+psycopg://user@host:5432/database"
        ) from None
    limit = parsed.query.get("max_payload", str(MAX_PAYLOAD))
    parsed = parsed.difference_update_query(["max_payload"])
    kind = SqliteDatabase if parsed.get_backend_name() == "sqlite" else PostgresDatabase
    try:
        most = parse_size(limit if isinstance(limit, str) else " ".join(limit))
    except ValueError as error:
        raise ConfigurationError(f"{parsed.render_as_string()}: option max_payload={limit!r}: {error}") from error
    return SqlDocumentStore(kind(parsed), max_payload=most, clock=clock)
