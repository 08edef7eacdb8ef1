"""What the tests of the backends share."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import boto3
import pytest

from rave_backends.filesystem.backend import FilesystemBackend
from rave_core.testing import free_port

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path):
    """Where a filesystem cache of the test lies; it does not exist yet."""
    return tmp_path / "cache"


@pytest.fixture
def store(root):
    """A filesystem cache."""
    return FilesystemBackend(root)


@pytest.fixture
def start_python():
    """Starts Python on a script with arguments; what still runs at the end of the test is killed."""
    started = []

    def start(script, *args, **options):
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        command = [sys.executable, "-c", script, *map(str, args)]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, **options)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # what a failed test wrote, and nobody reads any more
                process.stdin.close()


@pytest.fixture
def tmpfs(tmp_path, as_root):
    """A file system of 4 MiB of its own, which ``mount`` can change. Needs root."""
    place = tmp_path / "tmpfs"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], capture_output=True, text=True)
    assert mounted.returncode == 0, f"this test mounts a small tmpfs, which was refused: {mounted.stderr}"
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.fixture
def silent():
    """An endpoint that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


class Ceph:
    """Ceph's S3 gateway over a cluster of one node, in memory. Its keys are those that `aws` sets."""

    PACKAGES = "ceph-mon ceph-osd radosgw ceph-common"
    TOOLS = ("ceph", "ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph-authtool", "monmaptool")

    def __init__(self, place, free_port):
        self.place, self.port, self.mon = place, free_port(), free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.started = []

    def start(self):
        """Makes the cluster, and waits until the gateway answers."""
        for name in ("mon", "osd"):
            (self.place / name).mkdir()
        fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
        text = Path(__file__).with_name("ceph.conf").read_text()
        (self.place / "ceph.conf").write_text(text.format(fsid=fsid, mon=self.mon, port=self.port, place=self.place))
        self._keys()
        monmap = self.place / "monmap"
        self._run("monmaptool", "--create", "--addv", "a", f"[v1:127.0.0.1:{self.mon}]", "--fsid", fsid, monmap)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", self.place / "keyring")
        self._begin("ceph-mon", "-i", "a", "-f")
        self._run("ceph", "osd", "new", osd)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd, "--no-mon-config")
        self._begin("ceph-osd", "-i", "0", "-f")
        self._begin("radosgw", "-n", "client.rgw", "-f")
        keys = ("--access-key", "AKRAVE", "--secret-key", "SKRAVE")
        self._run("radosgw-admin", "user", "create", "--uid", "rave", "--display-name", "rave", *keys)
        deadline = time.monotonic() + 60
        while not self._answers():
            assert time.monotonic() < deadline, "the gateway does not answer"
            time.sleep(0.05)
        return self

    def stop(self):
        """The gateway first, which says goodbye to the others; by the process IDs that were started here."""
        for process in reversed(self.started):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _keys(self):
        keyring = self.place / "keyring"
        caps = {"mon.": "mon", "client.admin": "mon osd mgr", "client.rgw": "mon osd", "osd.0": "mon osd"}
        for number, (name, parts) in enumerate(caps.items()):
            allowed = [word for part in parts.split() for word in ("--cap", part, "allow *")]
            self._run("ceph-authtool", *([] if number else ["-C"]), keyring, "--gen-key", "-n", name, *allowed)

    def _answers(self):
        with socket.socket() as trying:
            return trying.connect_ex(("127.0.0.1", self.port)) == 0

    def _run(self, *command):
        done = subprocess.run(self._with_conf(command), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{command[0]}: {done.stderr}"

    def _begin(self, *command):
        with (self.place / f"{command[0]}.out").open("wb") as out:
            self.started.append(subprocess.Popen(self._with_conf(command), stdout=out, stderr=out))

    def _with_conf(self, command):
        conf = [] if command[0] in ("ceph-authtool", "monmaptool") else ["-c", self.place / "ceph.conf"]
        return [command[0], *map(str, conf), *map(str, command[1:])]


@pytest.fixture(scope="session")
def ceph(tmp_path_factory, need):
    """The endpoint of Ceph's S3 gateway."""
    for tool in Ceph.TOOLS:
        need(tool, f"apt-get install --no-install-recommends {Ceph.PACKAGES}")

    running = Ceph(tmp_path_factory.mktemp("ceph"), free_port)
    try:
        yield running.start().endpoint
    finally:
        running.stop()


@pytest.fixture
def ceph_bucket(ceph, aws):
    """The name of a new, empty bucket of Ceph."""
    name = f"rave-{uuid.uuid4().hex}"
    boto3.client("s3", endpoint_url=ceph, region_name="us-east-1").create_bucket(Bucket=name)
    return name
