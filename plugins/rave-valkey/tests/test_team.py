"""Operations whose results several processes share by way of the server."""

from __future__ import annotations

import time
import warnings

import pytest
from rave_valkey.plugin import open_valkey

from rave_core import Runtime, Settings, op, using
from rave_core.backend import StoreURL
from rave_core.errors import ConfigurationError, RaveWarning

RAN: list[int] = []  # of the test's module, since what a body captures is part of its keys


@pytest.fixture(autouse=True)
def _nothing_ran():
    """What ran is counted anew in each test."""
    RAN.clear()


class Kind:
    """Kept as a pickle, so by a trusted seal alone."""


@pytest.fixture
def make_runtime(tmp_path, key_file):
    """Makes runtimes with nothing in common but the server and the key that seals."""

    def make(url, number=0):
        products = [f"file://{tmp_path}/products-{number}"]
        return Runtime(Settings(cache=["memory://", url], products=products, signing_key_file=key_file))

    return make


def test_an_operation_is_answered_from_the_server(url, make_runtime):
    """By another runtime, also where the value needs pickle."""

    @op(name="valkey:double", version=1)
    def double(number):
        RAN.append(number)
        return {"twice": number * 2, "kind": Kind}

    for number in range(2):
        with using(make_runtime(url, number)):
            assert double(4) == {"twice": 8, "kind": Kind}
    assert RAN == [4]


def test_without_a_signing_key_only_data_is_kept(url, tmp_path, caplog):
    """A server counts as shared: nothing is unpickled from it unless it is sealed."""
    with using(Runtime(Settings(cache=[url], products=[f"file://{tmp_path}/p"]))) as runtime:
        assert runtime.cache.signer.trusted is False
    assert "signing_key_file" in caplog.text


def test_products_are_refused(url):
    """A server keeps no files."""
    with pytest.raises(ConfigurationError, match="can't keep files"):
        _ = Runtime(Settings(cache=["memory://"], products=[url])).products


SLOW = """
import os, sys, time
from rave_core import Runtime, Settings, op, using
url, key, home = sys.argv[1:]

@op(name="valkey:slow", version=1)
def slow(number):
    open(f"{home}/ran-{os.getpid()}-{number}", "w").close()
    time.sleep(0.2)
    return number * 2

open(f"{home}/ready-{os.getpid()}", "w").close()
while len([name for name in os.listdir(home) if name.startswith("ready")]) < 2:
    time.sleep(0.01)
settings = Settings(cache=["memory://", url], products=[f"file://{home}/p{os.getpid()}"], signing_key_file=key)
with using(Runtime(settings)):
    print([slow(number) for number in range(2)])
"""


def test_two_processes_run_a_key_once(url, tmp_path, key_file, start_python):
    """Started together, they share one run by way of the server alone."""
    processes = [start_python(SLOW, url, key_file, tmp_path) for _ in range(2)]
    assert [process.communicate(timeout=60)[0] for process in processes] == ["[0, 2]\n", "[0, 2]\n"]
    assert sorted(path.name.rpartition("-")[2] for path in tmp_path.glob("ran-*")) == ["0", "1"]


def test_calls_go_on_while_the_server_is_away(start_valkey, make_runtime):
    """With one warning; once it is back, results are kept in it again."""
    server = start_valkey()

    @op(name="valkey:steady", version=1)
    def double(number):
        RAN.append(number)
        return number * 2

    with using(make_runtime(server.url())), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert double(1) == 2
        assert warned == []
        server.stop()
        assert [double(number) for number in (1, 2, 3, 2)] == [2, 4, 6, 4]
        assert [warning.category for warning in warned] == [RaveWarning]
        assert "can't be reached" in str(warned[0].message)
        server.start()
        assert kept_again(double, server.url())
        assert len(warned) == 1
    RAN.clear()
    with using(make_runtime(server.url(), 1)):
        assert double(100) == 200
    assert RAN == []


def kept_again(double, url):
    """Whether a call of the operation is kept in the server before long."""
    backend = open_valkey(StoreURL(url))
    deadline = time.monotonic() + 60
    while not list(backend.keys()) and time.monotonic() < deadline:
        assert double(100, rave_refresh=True) == 200
    return bool(list(backend.keys()))


def test_a_server_that_falls_silent_costs_no_more_than_its_timeout(start_valkey, make_runtime):
    """A call makes a few requests, each of which may wait that long."""
    server = start_valkey()

    @op(name="valkey:silent")
    def double(number):
        return number * 2

    with using(make_runtime(server.url(options="?timeout=0.2"))):
        assert double(1) == 2
        server.freeze()
        started = time.monotonic()
        with pytest.warns(RaveWarning, match="no answer in time"):
            assert double(2) == 4
        assert time.monotonic() - started < 3
