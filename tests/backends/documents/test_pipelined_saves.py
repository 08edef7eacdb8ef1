"""Saves on PostgreSQL: one exchange with the server, under its lock, also where that fails on the way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sql

from rave_backends.documents import postgresql as backend
from rave_backends.documents.pipelined import save_at_once
from rave_core.documents import DocumentStore, Metadata, open_store
from rave_core.errors import Conflict, StoreAwayError

SECONDS = 20.0


@pytest.fixture
def url(postgresql: Any) -> str:
    """A new database."""
    return str(postgresql.new_database())


@pytest.fixture
def store(url: str) -> Iterator[DocumentStore]:
    """The documents in it."""
    with open_store(url) as opened:
        yield opened


@contextmanager
def locked(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection by hand that holds the lock of the store, and commits at the end."""
    place = sql.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(place) as connection:
        connection.execute("SELECT id FROM rave_store FOR UPDATE")
        yield connection


def waiting(connection: psycopg.Connection[Any]) -> int:
    """The process of the server in which a save waits for the lock, once it does."""
    ask = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    deadline = time.monotonic() + SECONDS
    while True:
        connection.execute("SELECT pg_stat_clear_snapshot()")
        found = connection.execute(ask).fetchone()
        if found is not None:
            return int(found[0])
        assert time.monotonic() < deadline, "no save waits for the lock"
        time.sleep(0.01)


def insert(connection: psycopg.Connection[Any], version: int) -> None:
    """Adds a version of "k" by hand."""
    (sequence,) = connection.execute("UPDATE rave_store SET sequence = sequence + 1 RETURNING sequence").fetchone() or (
        0,
    )
    row = (sequence, "c", "k", version, "hand", "", 0.0)
    connection.execute("INSERT INTO rave_documents VALUES (%s, %s, %s, %s, %s, %s, %s)", row)


def save(store: DocumentStore, expect: int = 0) -> Metadata:
    """Saves a version of "k"."""
    return store.save("c", "k", b"x", expect=expect, author="ada")


def test_a_save_is_one_exchange_with_the_server(
    store: DocumentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that nobody waits for the way between client and server, and no stopped client holds the lock."""
    messages = tmp_path / "messages"

    def traced(connection: psycopg.Connection[Any], values: dict[str, object]) -> int | None:
        with messages.open("wb") as file:
            connection.pgconn.trace(file.fileno())
            try:
                return save_at_once(connection, values)
            finally:
                connection.pgconn.untrace()

    monkeypatch.setattr(backend, "save_at_once", traced)
    save(store)
    words = messages.read_text().split()
    assert words.count("ReadyForQuery") == words.count("Sync") == 1


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_a_save_sees_what_was_committed_while_it_waited(url: str, isolation: str) -> None:
    """Whatever the server's default isolation: versions that came and went meanwhile make it a conflict."""
    with open_store(url), locked(url) as connection:
        connection.execute(
            f"ALTER DATABASE {sql.make_url(url).database} SET default_transaction_isolation = '{isolation}'"
        )
    with open_store(url) as store, ThreadPoolExecutor(1) as threads:
        save(store)
        with locked(url) as connection:
            late = threads.submit(save, store, 1)
            waiting(connection)
            insert(connection, 2)
            insert(connection, 3)
            connection.execute("DELETE FROM rave_documents WHERE version < 3")  # as by a collection that keeps one
        with pytest.raises(Conflict) as caught:
            late.result(SECONDS)
        assert caught.value.expected == 3
        assert [each.version for each in store.history("c", "k")] == [3]


def test_a_save_whose_connection_is_lost_says_that_it_may_be_there(store: DocumentStore, url: str) -> None:
    """It is not tried again, since that could be a conflict with itself. The next save goes on."""
    with ThreadPoolExecutor(1) as threads, locked(url) as connection:
        lost = threads.submit(save, store)
        connection.execute("SELECT pg_terminate_backend(%s)", [waiting(connection)])
        with pytest.raises(StoreAwayError, match=r"unknown whether it was saved.*read it again"):
            lost.result(SECONDS)
    assert save(store).version == 1
    assert store.check() == []


def test_a_save_that_the_server_refuses_leaves_nothing(store: DocumentStore, url: str) -> None:
    """With the server's words; the connection stays in use."""
    with locked(url) as connection:
        connection.execute("ALTER TABLE rave_documents ADD CONSTRAINT no_ada CHECK (author <> 'ada')")
    with pytest.raises(StoreAwayError, match="no_ada"):
        save(store)
    assert store.sequence() == 0
    assert store.save("c", "k", b"x", expect=0, author="bob").sequence == 1


def test_an_older_client_library_saves_step_by_step(store: DocumentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same outcome."""
    monkeypatch.setattr(backend, "can_pipeline", lambda: False)
    store.declare("c", keep=2)
    for version in range(4):
        save(store, version)
    with pytest.raises(Conflict):
        save(store, 2)
    assert [each.version for each in store.history("c", "k")] == [4, 3]
    assert (store.sequence(), store.check()) == (4, [])
