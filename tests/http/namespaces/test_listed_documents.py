"""Namespaces that documents list: what can't be served is told, and what is gone is told as gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rave_core import Settings
from rave_core.documents import DocumentStore, open_store
from rave_core.errors import StoreAwayError
from rave_http.namespaces.listed_documents import ListedNamespaces
from rave_http.namespaces.live_catalog import LiveNamespaces, NamespaceState
from rave_http.settings import ServiceSettings
from rave_http.worker.worker_events import WorkerEvents
from tests.http.namespaces.live_code import answer, live, write

LIST = "places"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DocumentStore]:
    """Documents of the test's own."""
    with open_store(f"sqlite:///{tmp_path}/documents.sqlite") as opened:
        yield opened


@pytest.fixture
def listing(tmp_path: Path) -> Callable[..., tuple[ListedNamespaces, LiveNamespaces]]:
    """Makes what one worker has: namespaces that follow the list, beside a fixed one called ``local``."""
    write(tmp_path / "code", "fixed")
    for word in ("one", "two"):
        write(tmp_path / word, word)
    own = ServiceSettings.of(Settings(service={"namespaces": LIST, "namespace_root": str(tmp_path)}))

    def make(documents: Callable[[], DocumentStore]) -> tuple[ListedNamespaces, LiveNamespaces]:
        namespaces = live(local=tmp_path / "code")
        listed = ListedNamespaces(own, documents, namespaces)
        listed.follow()
        return listed, namespaces

    return make


def commit(store: DocumentStore, *payloads: bytes | None, key: str = "tools", after: int = 0) -> None:
    """Saves versions of one document."""
    for expect, payload in enumerate(payloads, start=after):
        store.save(LIST, key, payload, expect=expect, author="ada")


def test_what_cannot_be_served_is_told_until_it_can(
    store: DocumentStore, listing: Callable[..., Any], wait_until: Callable[..., Any]
) -> None:
    """By the name of its namespace, with the version and the reason; a later version or a deletion mends it."""
    commit(store, b"absent")
    commit(store, b"one", key="local")
    listed, namespaces = listing(lambda: store)
    told = listed.problems()
    assert sorted(told) == ["namespace local", "namespace tools"]
    assert told["namespace tools"].startswith("places: version 1 of 'tools' changes nothing: 'absent' is no directory")
    assert "in the settings" in told["namespace local"]
    commit(store, b"one", after=1)
    commit(store, None, key="local", after=1)
    wait_until(lambda: not listed.problems())
    assert (answer(namespaces, "tools"), answer(namespaces)) == ("one", "fixed")


def test_a_worker_that_starts_later_serves_what_the_others_do(
    store: DocumentStore, listing: Callable[..., Any]
) -> None:
    """A version that can't be served changes nothing: neither in workers that heard of it, nor in those that start."""
    commit(store, b"one", b"two", b"../..", b"absent")
    listed, namespaces = listing(lambda: store)
    assert answer(namespaces, "tools") == "two"
    assert "version 4 of 'tools'" in listed.problems()["namespace tools"]
    commit(store, b"one", None, b"absent", key="ended")
    _, namespaces = listing(lambda: store)
    assert answer(namespaces, "ended") is None


def test_a_list_that_cannot_be_read_is_told(store: DocumentStore, listing: Callable[..., Any]) -> None:
    """Until the store is back, and what it lists is served."""
    commit(store, b"one")
    is_away = True

    def documents() -> DocumentStore:
        if is_away:
            raise StoreAwayError("the database does not answer")
        return store

    listed, namespaces = listing(documents)
    assert listed.problems() == {
        "namespaces": "those listed in places are not served yet: the database does not answer"
    }
    is_away = False
    listed.follow()
    assert (listed.problems(), answer(namespaces, "tools")) == ({}, "one")


def test_the_end_of_a_namespace_is_no_failure(
    store: DocumentStore, listing: Callable[..., Any], wait_until: Callable[..., Any]
) -> None:
    """Listeners get the namespace as gone, and those who subscribe hear ``namespace.gone``."""
    commit(store, b"one")
    _, namespaces = listing(lambda: store)
    changes: list[NamespaceState] = []
    namespaces.on_change.append(changes.append)
    commit(store, None, after=1)
    (gone,) = wait_until(lambda: changes)
    assert (gone.name, gone.is_gone, gone.error, gone.operations) == ("tools", True, "", ())
    assert "tools" not in {each.name for each in namespaces.states()}
    published: list[tuple[str, Any]] = []
    runtime: Any = SimpleNamespace(events=SimpleNamespace(publish=lambda *event: published.append(event)))
    unused: Any = None
    WorkerEvents(runtime, unused).publish(gone)
    assert published == [("namespace.gone", {"namespace": "tools", "generation": gone.generation, "operations": 0})]
