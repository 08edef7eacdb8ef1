"""The backends of this project among processes that die or race each other, and in trouble."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from rave_backends.filesystem.backend import FilesystemBackend
from rave_backends.layered.backend import LayeredBackend
from rave_backends.memory.backend import MemoryBackend
from rave_backends.plugin import open_object_store
from rave_core.backend import StoreURL
from rave_core.testing import (
    ClockContract,
    CrashContract,
    DamageContract,
    NetworkContract,
    ProcessContract,
    SpaceContract,
)

BUCKET = """
from rave_backends.plugin import open_object_store
from rave_core.backend import StoreURL

def open_backend(place):
    return open_object_store(StoreURL(place))
"""


class TestFilesystemAmongProcesses(CrashContract, ProcessContract, ClockContract):
    opening = "from rave_backends.filesystem.backend import FilesystemBackend as open_backend"
    lacks = frozenset({"objects"})


class TestLayersAmongProcesses(CrashContract, ProcessContract):
    opening = """
from rave_backends.filesystem.backend import FilesystemBackend
from rave_backends.layered.backend import LayeredBackend
from rave_backends.memory.backend import MemoryBackend

def open_backend(place):
    return LayeredBackend([MemoryBackend(max_age=0.001), FilesystemBackend(place)])
"""
    lacks = frozenset({"objects"})
    kills = 12  # most lines are those of the directory, which has its own test


class TestObjectStoreAmongProcesses(CrashContract, ClockContract):
    opening = BUCKET
    lacks = frozenset({"files", "unpacking"})
    kills = 12

    @pytest.fixture
    def place(self, s3_url):
        """A new bucket of the emulator."""
        return s3_url


class TestCephAmongProcesses(ProcessContract):
    opening = BUCKET
    lacks = frozenset({"files", "unpacking"})

    @pytest.fixture
    def place(self, ceph, ceph_bucket):
        """A new bucket of Ceph."""
        return f"s3://{ceph_bucket}/team?endpoint={ceph}"


class TestDamagedFilesystem(DamageContract):
    def open_backend(self, place):
        """A directory."""
        return FilesystemBackend(place)

    def damage(self, backend, key, frame):
        """Writes into the very file."""
        with open(backend._tree.frame(key), "wb") as file:
            file.write(frame)


class TestDamagedMemory(DamageContract):
    def open_backend(self, place):
        """Memory alone."""
        return MemoryBackend()


class TestDamagedLayers(DamageContract):
    def open_backend(self, place):
        """Memory that asks again at once, over a directory."""
        return LayeredBackend([MemoryBackend(max_age=0.001), FilesystemBackend(place)])


class TestDamagedObjectStore(DamageContract):
    @pytest.fixture(autouse=True)
    def _where(self, s3_url):
        self.url = s3_url

    def open_backend(self, place):
        """A new bucket."""
        return open_object_store(StoreURL(self.url))


class TestFullFilesystem(SpaceContract):
    @pytest.fixture
    def cramped(self, tmpfs):
        """A directory in a file system of 4 MiB."""
        return FilesystemBackend(tmpfs / "store")


class TestObjectStoreOverBadNetwork(NetworkContract):
    @pytest.fixture
    def server(self, moto, bucket):
        """The emulator, with a new bucket."""
        self.bucket = bucket
        parts = urlsplit(moto)
        return parts.hostname, parts.port

    def open_at(self, address):
        """A backend with little patience."""
        url = f"s3://{self.bucket}/team?endpoint=http://127.0.0.1:{address[1]}&timeout=1.5s"
        return open_object_store(StoreURL(url))
