"""Tokens in the document store: they end, and then they are gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rave_core.documents import DocumentStore, open_store
from rave_core.testing.clock import FakeClock
from rave_http.auth.api_keys import KeyStore
from rave_http.auth.sessions import COLLECTION, Sessions


@pytest.fixture
def documents(tmp_path: Path) -> Iterator[DocumentStore]:
    """A store of the test's own."""
    with open_store(f"sqlite:///{tmp_path}/documents.sqlite") as store:
        yield store


def test_ended_and_expired_tokens_are_removed_while_users_sign_in(
    documents: DocumentStore, keys: KeyStore, clock: FakeClock
) -> None:
    """At most once an hour, by any worker; one that was renewed meanwhile, and those of others, stay."""
    keys.create("ada")
    [key] = keys.current().values()
    first, second = (Sessions(lambda: documents, keys, clock, seconds=6000) for _ in range(2))
    _, ended = first.open(key)
    first.open(key)
    first.end(ended)
    assert len([*documents.heads(COLLECTION, deleted=True)]) == 2
    clock.advance(3500)
    kept, _ = first.open(key)
    assert len([*documents.heads(COLLECTION, deleted=True)]) == 3
    clock.advance(2600)
    token, session = first.open(key)
    left = [head.key for head in documents.heads(COLLECTION, deleted=True)]
    assert session.digest in left
    assert len(left) == 2
    assert [second.find(each) is not None for each in (kept, token)] == [True, True]
    assert second.sweep() == 0
