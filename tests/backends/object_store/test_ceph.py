"""The object store against a real one, Ceph: its contracts, its races, and hosts that share nothing else."""

from __future__ import annotations

import time

import pytest

from rave_backends.object_store.backend import ObjectStoreBackend
from rave_backends.object_store.config import S3Config
from rave_core.testing import BackendContract, LeaseContract, ObjectsContract, PinsContract, PurgeContract, UrlContract


class TestCeph(BackendContract, LeaseContract, ObjectsContract, PinsContract, PurgeContract, UrlContract):
    lacks = frozenset({"aging", "files", "holdings", "stats", "unpacking", "values"})
    persistent = True

    @pytest.fixture(autouse=True)
    def _where(self, ceph, ceph_bucket):
        self.ceph, self.bucket = ceph, ceph_bucket

    def open_backend(self, place):
        """A prefix of the bucket for each place."""
        return ObjectStoreBackend(S3Config(self.bucket, endpoint=self.ceph), f"of/{place.name}")


@pytest.fixture
def url(ceph, ceph_bucket):
    """The URL of an empty cache."""
    return f"s3://{ceph_bucket}/team?endpoint={ceph}"


def test_its_conditions_hold(ceph, ceph_bucket):
    """It creates, and replaces, on conditions."""
    tried = ObjectStoreBackend(S3Config(ceph_bucket, endpoint=ceph))._leases.tried()
    assert (tried.creates, tried.replaces) == (True, True)


RACE = """
import sys, time
from rave_backends.plugin import open_object_store
from rave_core.backend import StoreURL
url, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
backend = open_object_store(StoreURL(url))
for turn in range(10):
    backend.put(f"ready/{turn}/{name}", [b"x"])
    deadline = time.monotonic() + 60
    while len(list(backend.keys(f"ready/{turn}/"))) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    if backend.claim(f"race/0/{turn}", name.encode()):
        print(turn, name, flush=True)
"""


@pytest.mark.slow
def test_of_sixteen_racing_processes_one_wins(url, start_python):
    """Ten times over; and the lease is the winner's."""
    processes = [start_python(RACE, url, number, 16) for number in range(16)]
    won = [line.split() for process in processes for line in process.communicate(timeout=100)[0].splitlines()]
    assert [process.returncode for process in processes] == [0] * 16
    assert sorted(int(turn) for turn, _ in won) == list(range(10))


HOST = """
import os, socket, sys, time
url, name, skew, home, what = sys.argv[1:6]
socket.gethostname = lambda: name            # each host is another, wherever it is asked
os.environ.update(HOME=home, XDG_CACHE_HOME=home, XDG_CONFIG_HOME=home)
from rave_core.clock import SystemClock
now = SystemClock.now
SystemClock.now = staticmethod(lambda: now() + float(skew))   # the one source of time
from rave_core import Runtime, Settings, op, using

@op(version="1", name="hosts:slow")
def slow(number):
    print("ran", number, flush=True)
    time.sleep(float(os.environ.get("TAKES", "0.3")))
    return number * 2

settings = Settings(cache=["memory://", url], products=[url], data_only=True, lease_time=3)
with using(Runtime(settings)):
    for number in map(int, what.split(",")):
        assert slow(number) == number * 2
print("done", flush=True)
"""


@pytest.fixture
def start_host(url, start_python, tmp_path):
    """Starts a host: its name, its home and its clock are its own, and the bucket is all that it shares."""

    def start(number, what, skew=0.0, **options):
        home = tmp_path / f"host{number}"
        home.mkdir()
        return start_python(HOST, url, f"host{number}", skew, home, what, **options)

    return start


@pytest.mark.slow
def test_six_hosts_on_one_bucket_run_each_key_once(start_host):
    """Also where their clocks differ by minutes."""
    skews = (-150, -60, 0, 0, 60, 150)
    hosts = [start_host(number, "1,2,3,4", skew) for number, skew in enumerate(skews)]
    lines = [line for host in hosts for line in host.communicate(timeout=100)[0].splitlines()]
    assert lines.count("done") == 6
    assert sorted(line for line in lines if line != "done") == [f"ran {number}" for number in (1, 2, 3, 4)]


@pytest.mark.slow
def test_a_host_that_is_killed_while_it_computes_is_taken_over(start_host, monkeypatch):
    """Within the lease time of three seconds, by a host whose clock is minutes behind."""
    monkeypatch.setenv("TAKES", "60")
    dying = start_host(1, "7", 120)
    assert dying.stdout.readline() == "ran 7\n"
    monkeypatch.setenv("TAKES", "0")
    other = start_host(2, "7", -120)
    dying.kill()
    started = time.monotonic()
    assert other.communicate(timeout=60)[0] == "ran 7\ndone\n"
    assert time.monotonic() - started < 3 + 5  # and what starting Python takes on a busy machine
