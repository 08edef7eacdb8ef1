"""Fixtures that every test may use."""

from __future__ import annotations

import ast
import base64
import hmac
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest._code import source as pytest_source
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from rave_core import Runtime, Settings
from rave_core.runtime.runtime import as_default
from rave_core.testing import free_port
from rave_core.testing.clock import FakeClock

# Each service would start a process more: that of the guest book of rave-example, whose own tests do without this.
os.environ["RAVE_DISABLED_PLUGINS"] = "guestbook"

# How long an example takes, or is made for, tells more of the machine than of the code.
hypothesis_settings.register_profile("rave", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("rave")


def _parsed(*arguments: Any, **options: Any) -> ast.AST:
    """As `ast.parse`. CPython 3.11 fails now and then where another thread parses at the same time."""
    for _ in range(20):
        try:
            return ast.parse(*arguments, **options)
        except SystemError:
            time.sleep(0.05)
    return ast.parse(*arguments, **options)


if sys.version_info < (3, 12):  # else pytest itself can end while it shows why a test failed
    vars(pytest_source)["ast"] = SimpleNamespace(**{**vars(ast), "parse": _parsed})


@pytest.hookimpl(trylast=True)  # after they were shuffled
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that none begins when the other processes have nothing left to do."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Says why a test failed that was then run again: those that pass later are faults as well."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"{report.nodeid} failed and ran again", sep="_")
        terminalreporter.write_line(report.longreprtext)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the home directories of tests lie."""
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the settings and caches of whoever runs it."""
    home = Path(tempfile.mkdtemp(dir=homes))  # a numbered directory would cost milliseconds among thousands
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "share"))
    for name in ("RAVE_CONFIG", "RAVE_CACHE", "RAVE_PRODUCTS", "RAVE_DOCUMENTS", "RAVE_SIGNING_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make_runtime(tmp_path: Path) -> Callable[..., Runtime]:
    """Makes runtimes over one pair of directories, as several processes would have them; keywords are settings."""

    def make(*, clock: Any = None, plugins: Any = None, **settings: Any) -> Runtime:
        settings.setdefault("cache", ["memory://", f"file://{tmp_path}/data"])
        settings.setdefault("products", [f"file://{tmp_path}/products"])
        return Runtime(Settings(**settings), clock=clock, plugins=plugins)

    return make


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime]) -> Iterator[Runtime]:
    """A runtime of the test's own, in use: memory over a directory, products in another."""
    with as_default(make_runtime()) as entered:
        yield entered


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[..., str]:
    """Runs Python in a process of its own over the directories of ``make_runtime``; gives what it printed, stripped.

    Keywords but ``cwd`` and ``fails`` are environment variables. No bytecode is kept: a test edits too fast for it.
    """

    def run(*arguments: str, cwd: Path | None = None, fails: bool = False, **environment: str) -> str:
        environ = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        environ |= {"RAVE_CACHE": f"file://{tmp_path}/data", "RAVE_PRODUCTS": f"file://{tmp_path}/products"}
        done = subprocess.run(
            [sys.executable, *arguments], cwd=cwd or tmp_path, env=environ | environment, capture_output=True, text=True
        )
        assert (done.returncode != 0) is fails, done.stderr
        return (done.stderr if fails else done.stdout).strip()

    return run


@pytest.fixture
def as_root() -> None:
    """For tests that mount a file system or give up root's rights: CI runs as root, and must; elsewhere they say so."""
    if os.geteuid() != 0:
        assert not os.environ.get("CI"), "CI runs these tests as root, so that none of them is left out"
        pytest.skip("this test mounts a file system, or gives up root's rights: run it as root, as CI does")


@pytest.fixture
def clock() -> FakeClock:
    """A clock that goes only when told to."""
    return FakeClock()


@pytest.fixture
def ran(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """Gives what was printed since it was last asked, line by line: bodies print when they run."""
    return lambda: capsys.readouterr().out.splitlines()


KEYS = ("AKRAVE", "SKRAVE")


@pytest.fixture(name="free_port")
def _free_port() -> int:
    """A port of the loopback on which nobody listens."""
    return free_port()


@pytest.fixture(scope="session")
def make_moto() -> Callable[[], AbstractContextManager[str]]:
    """Starts an emulator of AWS of the test's own, which may be changed; gives its endpoint."""

    def make() -> AbstractContextManager[str]:
        port = free_port()
        return _serving(port, _script("moto_server"), "-H", "127.0.0.1", "-p", str(port))

    return make


@pytest.fixture(scope="session")
def moto(make_moto: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """The endpoint of an S3 emulator, which knows conditional writes and checks no credentials."""
    with make_moto() as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The endpoint and a bucket of an S3 server that checks credentials and ignores conditions."""
    port, directory = free_port(), tmp_path_factory.mktemp("rclone")
    (directory / "bucket").mkdir()
    keys = ("--auth-key", ",".join(KEYS), "--config", "")
    address = f"127.0.0.1:{port}"
    with _serving(port, _script("rclone"), "serve", "s3", "--addr", address, *keys, str(directory)) as endpoint:
        yield endpoint, "bucket"


AZURE = (
    "devstoreaccount1",
    base64.b64encode(b"an account key of sixty-four bytes, which only tests will use, now").decode(),
)


@pytest.fixture(scope="session")
def need() -> Callable[[str, str], str]:
    """Gives the path of a program; without it the tests are skipped and say how to install it, and fail in CI."""

    def found(program: str, how: str) -> str:
        path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        if path is None:
            assert not os.environ.get("CI"), f"CI installs {program} by .ci/servers, so that no test is left out"
            pytest.skip(f"needs {program}: {how}")
        return path

    return found


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory, need: Callable[[str, str], str]) -> Iterator[str]:
    """The URL of an account of Azure's own emulator, which checks credentials and knows conditional writes."""
    command = need("azurite-blob", "npm install --global azurite")
    port, place = free_port(), tmp_path_factory.mktemp("azurite")
    address = ("--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(place))
    accounts = {"AZURITE_ACCOUNTS": ":".join(AZURE)}
    with _serving(port, command, *address, "--silent", "--skipApiVersionCheck", **accounts) as endpoint:
        yield f"{endpoint}/{AZURE[0]}"


@pytest.fixture
def azure(azurite: str, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Sets the credentials that the emulator knows."""
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", AZURE[0])
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", AZURE[1])
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", azurite)
    return monkeypatch


@pytest.fixture
def container(azurite: str, azure: pytest.MonkeyPatch) -> str:
    """The name of a new, empty container of the emulator."""
    name, now = f"rave-{uuid.uuid4().hex}", datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    account, key = AZURE
    headers = {"x-ms-date": now, "x-ms-version": "2021-08-06", "Content-Length": "0"}
    signed = (
        f"PUT{12 * chr(10)}x-ms-date:{now}\nx-ms-version:2021-08-06\n/{account}/{account}/{name}\nrestype:container"
    )
    mark = base64.b64encode(hmac.digest(base64.b64decode(key), signed.encode(), "sha256")).decode()
    headers["Authorization"] = f"SharedKey {account}:{mark}"
    url = f"{azurite}/{name}?restype=container"
    urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers)).close()
    return name


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Sets the credentials that both servers know, and keeps the client from asking anybody else for some."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS[1])
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return monkeypatch


@pytest.fixture
def bucket(moto: str, aws: pytest.MonkeyPatch) -> str:
    """The name of a new, empty bucket of moto."""
    name = f"rave-{uuid.uuid4().hex}"
    urllib.request.urlopen(urllib.request.Request(f"{moto}/{name}", method="PUT")).close()
    return name


@pytest.fixture
def s3_url(moto: str, bucket: str) -> str:
    """The URL of an empty cache in moto."""
    return f"s3://{bucket}/team?endpoint={moto}"


@contextmanager
def _serving(port: int, *command: str, **environ: str) -> Iterator[str]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env={**os.environ, **environ}, stdout=quiet, stderr=quiet)
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


def _script(name: str) -> str:
    path = Path(sys.executable).with_name(name)
    assert path.exists(), f"{name} is not installed: pip install -e '.[dev]'"
    return str(path)
