"""A request reads the slates that it shows, however many there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import falcon.asgi
import pytest
from falcon import testing

from rave_core.documents import DocumentStore, open_store
from rave_http.auth.authorization import Principal
from rave_http.resources.slates import Slate, SlateList

USERS, DOCUMENTS = 1000, 10
COLUMNS = "sequence, collection, key, version, author, comment, time, payload"


class Recorder:
    """A store that records what is read."""

    def __init__(self, store: DocumentStore) -> None:
        self.store, self.reads = store, list[Any]()

    def __getattr__(self, name: str) -> Any:
        """A method of the store, recorded."""

        def call(*args: Any, **kwargs: Any) -> Any:
            self.reads.append((name, *args))
            return getattr(self.store, name)(*args, **kwargs)

        return call


class User7:
    """Everybody is the user 7."""

    def principal(self, req: Any) -> Principal:
        """Who asks."""
        return Principal("user 7", "key", {})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DocumentStore]:
    """Slates of many users."""
    path = tmp_path_factory.mktemp("slates") / "documents.sqlite"
    with open_store(f"sqlite:///{path}") as store:
        store.declare("slate:user 7", keep=1)
        rows = [
            (number, f"slate:user {number // DOCUMENTS}", f"page {number % DOCUMENTS}", 1, "u", "", 0.0, b"{}")
            for number in range(USERS * DOCUMENTS)
        ]
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.executemany(f"INSERT INTO rave_documents ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            connection.execute("UPDATE rave_store SET sequence = ?", (len(rows),))
        yield store


def test_a_request_reads_exactly_the_slates_that_it_shows(store: DocumentStore) -> None:
    """One by its name; for a list the names of one user. The database looks them up by their index."""
    recorder: Any = Recorder(store)
    authorizer: Any = User7()
    app = falcon.asgi.App()
    app.add_route("/-/me", SlateList(lambda: recorder, authorizer))
    app.add_route("/-/me/{name}", Slate(lambda: recorder, authorizer, max_body=1000))
    client = testing.TestClient(app)
    assert client.simulate_get("/-/me/page 3").json == {}
    assert recorder.reads == [("get", "slate:user 7", "page 3")]
    recorder.reads.clear()
    listed = client.simulate_get("/-/me").json["documents"]
    assert [each["name"] for each in listed] == [f"page {number}" for number in range(DOCUMENTS)]
    assert recorder.reads == [("heads", "slate:user 7")]
    recorder.reads.clear()
    assert client.simulate_patch("/-/me/page 3", json={"rows": 50}).status_code == 200
    assert recorder.reads == [("declare", "slate:user 7"), ("get", "slate:user 7", "page 3"), recorder.reads[-1]]
    assert recorder.reads[-1][:3] == ("save", "slate:user 7", "page 3")


@pytest.mark.parametrize("query", ["collection = 'c' AND key = 'k' ORDER BY version DESC LIMIT 1", "collection = 'c'"])
def test_the_database_reads_no_slates_of_others(store: DocumentStore, query: str) -> None:
    """It finds a document, and the documents of a user, by an index."""
    path = store.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN SELECT * FROM rave_documents WHERE {query}").fetchall()
    assert [step[3].split()[0] for step in plan] == ["SEARCH"], plan
