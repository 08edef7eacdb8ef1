"""``az://`` against Azure's own emulator, and ``gs://`` against an S3 server, whose XML is that of Google's.

What Google alone has, generations as conditions and its tokens, no server that can be installed here knows: the S3
server ignores these conditions, so this also shows that RAVE notices.
"""

from __future__ import annotations

import base64
import os
import urllib.request
import uuid

import pytest

from rave_backends.plugin import open_object_store
from rave_core.backend import StoreURL
from rave_core.errors import BackendError, ConfigurationError
from rave_core.testing import (
    BackendContract,
    LeaseContract,
    ObjectsContract,
    PinsContract,
    PurgeContract,
    UrlContract,
    key_of,
)


class TestAzure(BackendContract, LeaseContract, ObjectsContract, PinsContract, PurgeContract, UrlContract):
    lacks = frozenset({"aging", "files", "holdings", "stats", "unpacking", "values"})
    persistent = True

    @pytest.fixture(autouse=True)
    def _where(self, container):
        self.container = container

    def open_backend(self, place):
        """A prefix of the container for each place."""
        return open_object_store(StoreURL(f"az://{self.container}/of/{place.name}"))


def test_leases_of_azure_are_sure(container):
    """It creates, and replaces, on conditions."""
    tried = open_object_store(StoreURL(f"az://{container}"))._leases.tried()
    assert (tried.creates, tried.replaces) == (True, True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"AZURE_STORAGE_ACCOUNT_KEY": base64.b64encode(b"x" * 64).decode()}, "correct AZURE_STORAGE_ACCOUNT_NAME"),
        ({"AZURE_STORAGE_ENDPOINT": "http://127.0.0.1:9/x"}, "can't be reached"),
    ],
    ids=["key", "endpoint"],
)
def test_trouble_with_azure_is_put_into_advice(container, azure, change, said):
    """In the words of that store."""
    for name, value in change.items():
        azure.setenv(name, value)
    backend = open_object_store(StoreURL(f"az://{container}?timeout=1s"))
    with pytest.raises(BackendError, match=said):
        backend.put(key_of("a"), [b"x"])
    assert said in backend.check()


def test_a_missing_container_is_said(container):
    """Whatever is asked of it."""
    backend = open_object_store(StoreURL("az://rave-absent?timeout=1s"))
    for ask in (
        lambda: backend.get(key_of("a")),
        lambda: backend.put(key_of("a"), [b"x"]),
        lambda: list(backend.keys()),
    ):
        with pytest.raises(BackendError, match="no such bucket or container"):
            ask()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("az://container", "no storage account is named"),
        ("az://container?account=Not%20One", "can't be a storage account"),
        ("az://container?region=x", "unknown option 'region'"),
        ("az://?account=team", "no bucket is named; expected az://bucket/prefix"),
        ("gs://bucket?profile=x", "unknown option 'profile'"),
        ("gs://bucket?endpoint=storage", "can't be an endpoint"),
        ("gs://", "no bucket is named; expected gs://bucket/prefix"),
    ],
)
def test_what_is_wrong_with_a_url_is_said(url, said, monkeypatch):
    """When it is opened."""
    for name in [name for name in os.environ if name.startswith(("AZURE_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    with pytest.raises(ConfigurationError, match=said):
        open_object_store(StoreURL(url))


@pytest.fixture
def google(moto, monkeypatch):
    """The URL of an empty cache, asked for as a bucket of Google's."""
    monkeypatch.setenv("GOOGLE_BEARER_TOKEN", "any")
    bucket = f"rave{uuid.uuid4().hex}"  # without a hyphen, which this client quotes and that server does not unquote
    urllib.request.urlopen(urllib.request.Request(f"{moto}/{bucket}", method="PUT")).close()
    return f"gs://{bucket}/team?endpoint={moto}"


class TestGoogle(BackendContract):
    lacks = frozenset({"aging", "files", "holdings", "stats", "unpacking", "values"})
    persistent = True

    @pytest.fixture(autouse=True)
    def _where(self, google):
        self.google = google

    def test_it_has_the_capabilities_that_it_does_not_declare_lacking(self, backend):
        """Those of the other object stores; that they keep their contracts only Google's own servers can show."""

    def open_backend(self, place):
        """A prefix of the bucket for each place."""
        return open_object_store(StoreURL(self.google.replace("team", f"of/{place.name}")))


def test_a_product_of_google_comes_back(google, tmp_path):
    """In parts, as S3 has them."""
    backend = open_object_store(StoreURL(google))
    (tmp_path / "product").write_bytes(os.urandom(20_000_000))
    backend._bucket.upload("team/x", tmp_path / "product", {"Content-Type": "text/csv"})
    backend._bucket.download("team/x", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "product").read_bytes()
