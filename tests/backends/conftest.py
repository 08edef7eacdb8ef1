"""What the tests of the backends share."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from contextlib import contextmanager
from pathlib import Path

import pytest

from rave_backends.filesystem import FilesystemBackend

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


@pytest.fixture
def tmpfs(tmp_path, as_root):
    """A file system of 4 MiB of its own, which ``mount`` can change. Needs root."""
    place = tmp_path / "tmpfs"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], capture_output=True, text=True)
    assert mounted.returncode == 0, f"this test mounts a small tmpfs, which was refused: {mounted.stderr}"
    yield place
    subprocess.run(["umount", "-l", place], check=True)


KEYS = ("AKRAVE", "SKRAVE")


@pytest.fixture
def free_port():
    """A port of the loopback on which nobody listens."""
    return _free_port()


@pytest.fixture(scope="session")
def moto():
    """The endpoint of an S3 emulator, which knows conditional writes and checks no credentials."""
    port = _free_port()
    with _serving(port, _script("moto_server"), "-H", "127.0.0.1", "-p", str(port)) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def rclone(tmp_path_factory):
    """The endpoint and a bucket of an S3 server that checks credentials and ignores conditions."""
    port, directory = _free_port(), tmp_path_factory.mktemp("rclone")
    (directory / "bucket").mkdir()
    keys = ("--auth-key", ",".join(KEYS), "--config", "")
    address = f"127.0.0.1:{port}"
    with _serving(port, _script("rclone"), "serve", "s3", "--addr", address, *keys, str(directory)) as endpoint:
        yield endpoint, "bucket"


@pytest.fixture
def aws(monkeypatch):
    """Sets the credentials that both servers know, and keeps the client from asking anybody else for some."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS[1])
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return monkeypatch


@pytest.fixture
def bucket(moto, aws):
    """The name of a new, empty bucket of moto."""
    name = f"rave-{uuid.uuid4().hex}"
    urllib.request.urlopen(urllib.request.Request(f"{moto}/{name}", method="PUT")).close()
    return name


@pytest.fixture
def s3_url(moto, bucket):
    """The URL of an empty cache in moto."""
    return f"s3://{bucket}/team?endpoint={moto}"


@contextmanager
def _serving(port, *command):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            assert process.poll() is None, f"{command[0]} ended at once with {process.returncode}"
            with socket.socket() as trying:
                if trying.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def _script(name):
    path = Path(sys.executable).with_name(name)
    assert path.exists(), f"{name} is not installed: pip install -e '.[dev]'"
    return str(path)
