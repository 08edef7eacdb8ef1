"""The backend, against a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
import warnings
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hypothesis import settings
from rave_valkey.backend import ValkeyBackend
from rave_valkey.plugin import open_valkey

from rave_core.backend import StoreURL
from rave_core.errors import BackendError
from rave_core.testing import BackendContract, LeaseContract, PurgeContract, backend_machine, frame_of, key_of, together


class TestValkey(BackendContract, LeaseContract, PurgeContract):
    lacks = frozenset({"aging", "files", "holdings", "objects", "pins", "stats", "unpacking", "url", "values"})
    persistent = True

    @pytest.fixture(autouse=True)
    def _where(self, address, prefix):
        self.address, self.prefix = address, prefix

    def open_backend(self, place):
        """A prefix of the database for each place."""
        return ValkeyBackend(self.address, f"{self.prefix}:{place.name}")


def test_it_does_what_a_dict_does(address):
    """In any order of calls, each run in a prefix of its own."""
    places: dict[str, str] = {}

    def opening(place):
        return ValkeyBackend(address, places.setdefault(str(place), uuid.uuid4().hex))

    case = backend_machine(opening, persistent=True).TestCase
    case.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
    case("runTest").runTest()


@pytest.fixture
def backend(url):
    """An empty cache in the shared server."""
    backend = open_valkey(StoreURL(url))
    yield backend
    backend.close()


def test_a_name_in_the_server_is_that_of_the_key(backend, prefix):
    """So that the server's own tools can browse the cache by operation."""
    backend.put("m:f/0/a", [b"x"])
    backend.claim("m:f/0/a", b"record")
    names = {name for chunk in backend._server.scan(f"{prefix}:") for name in chunk}
    assert names == {f"{prefix}:e:m:f/0/a".encode(), f"{prefix}:l:m:f/0/a".encode()}


def test_caches_in_one_database_do_not_meet(address, prefix):
    """Not even where the name of one starts with that of the other, or holds the characters of a pattern."""
    backends = [ValkeyBackend(address, prefix + end) for end in ("", ":a", "a", "*", "[a]", "?", "\\", ":e1")]
    for number, backend in enumerate(backends):
        backend.put("k/0/a", [b"%d" % number])
        assert backend.claim("k/0/a", b"%d" % number)
    assert [backend.get("k/0/a") for backend in backends] == [b"%d" % number for number in range(8)]
    assert [list(backend.keys()) for backend in backends] == [["k/0/a"]] * 8
    backends[0].purge(lambda entry: True, grace=0)
    assert [list(backend.keys()) for backend in backends] == [[], *[["k/0/a"]] * 7]


@pytest.mark.parametrize("prefix", ["", "a::b", ":a", "rave:e", "l", "a\nb"], ids=ascii)
def test_a_prefix_that_could_be_mistaken_is_refused(address, prefix):
    """One that holds the mark of entries or leases would let one cache tidy another."""
    with pytest.raises(ValueError, match="can't be a prefix"):
        ValkeyBackend(address, prefix)


def test_a_prefix_may_be_written_with_its_colon(shared, prefix):
    """Both ways of writing it are one cache."""
    opened = [open_valkey(StoreURL(shared.url(options=f"?prefix={prefix}{end}"))) for end in ("", ":")]
    opened[0].put(key_of("a"), [b"x"])
    assert opened[1].get(key_of("a")) == b"x"


def test_databases_do_not_meet(shared, prefix):
    """The number in the URL counts."""
    first, second = (open_valkey(StoreURL(shared.url(number, f"?prefix={prefix}"))) for number in (0, 1))
    first.put(key_of("a"), [b"x"])
    assert second.get(key_of("a")) is None


def test_many_keys_are_listed_each_once(backend):
    """More than one scan holds, while the server's tables grow and shrink."""
    keys = {key_of(str(number)) for number in range(3000)}
    backend._server.run_all("put", [("SET", backend._entries + key, b"x") for key in keys])
    listed = []
    for key in backend.keys():  # noqa: SIM118  # no dict
        listed.append(key)
        backend.delete(key)
    assert sorted(listed) == sorted(keys)


def test_a_frame_beyond_what_a_server_takes_is_refused_at_once(backend, monkeypatch):
    """With its size, and where to keep it; nothing is sent."""
    monkeypatch.setattr("rave_valkey.backend.LARGEST", 1000)
    backend.put(key_of("a"), [bytes(600), bytes(400)])
    with pytest.raises(BackendError, match=r"1001 bytes.*1000 at most.*file:// or s3://"):
        backend.put(key_of("a"), [bytes(600), memoryview(bytes(401))])
    assert backend.get(key_of("a")) == bytes(1000)


def test_a_server_that_takes_less_says_so(start_valkey):
    """Its limit is told by name, in place of a broken connection, and what was there stays."""
    server = start_valkey("--proto-max-bulk-len", "1048576")
    backend = open_valkey(StoreURL(server.url()))
    backend.put(key_of("a"), [b"x"])
    with pytest.raises(BackendError, match="proto-max-bulk-len"):
        backend.put(key_of("a"), [bytes(1_100_000)])
    assert backend.get(key_of("a")) == b"x"


def test_a_purge_leaves_what_was_replaced_meanwhile(backend):
    """Between the look and the removal somebody puts a new frame: it is kept."""
    key = key_of("a")
    backend.put(key, frame_of(key, expires_at=1.0))

    def is_dead(entry):
        backend.put(key, frame_of(key, expires_at=9.0))
        return not entry.is_fresh(5.0)

    assert backend.purge(is_dead, grace=0).entries == 0
    assert backend.get(key) == b"".join(frame_of(key, expires_at=9.0))


def test_a_purge_counts_what_it_removed(backend):
    """More entries than one scan holds, and their bytes; what is no string is left alone."""
    frames = {key_of(str(number)): b"".join(frame_of(key_of(str(number)), expires_at=1.0)) for number in range(1200)}
    backend._server.run_all("put", [("SET", backend._entries + key, frame) for key, frame in frames.items()])
    backend.put(key_of("live"), frame_of(key_of("live")))
    backend._server.run("push", "LPUSH", f"{backend._entries}list", "x")
    removed = backend.purge(lambda entry: not entry.is_fresh(5.0), grace=0)
    assert (removed.entries, removed.leftovers) == (1200, 0)
    assert removed.bytes == sum(map(len, frames.values()))
    assert sorted(backend.keys()) == sorted([key_of("live"), "list"])


def test_the_time_of_a_purge_is_the_servers(backend):
    """In Unix seconds."""
    backend.purge(lambda entry: False, grace=0)
    assert abs(backend.last_purge() - time.time()) < 60
    backend._server.run("spoil", "SET", backend._sweeper._stamp, b"yesterday")
    assert backend.last_purge() is None


def test_a_lease_that_nobody_renews_is_forgotten(backend):
    """After an hour from the claim, and again from each swap."""
    name = backend._lease(key_of("a"))

    def left():
        return backend._server.run("ask", "TTL", name)

    backend.claim(key_of("a"), b"one")
    assert 3590 < left() <= 3600
    backend._server.run("age", "EXPIRE", name, 10)
    assert not backend.claim(key_of("a"), b"other")
    assert left() <= 10
    assert backend.swap_lease(key_of("a"), b"one", b"two")
    assert 3590 < left() <= 3600


def test_one_of_sixteen_threads_gets_a_key(url):
    """Ten times over, each thread with a backend of its own."""
    backends = [open_valkey(StoreURL(url)) for _ in range(16)]
    for turn in range(10):
        key = key_of(str(turn))
        claimed = together(16, lambda number, key=key: backends[number].claim(key, b"%d" % number))
        assert claimed.count(True) == 1
        assert backends[0].lease(key) == b"%d" % claimed.index(True)


RACE = """
import sys
import time
from rave_core.backend import StoreURL
from rave_valkey.plugin import open_valkey
url, name = sys.argv[1:]
backend = open_valkey(StoreURL(url))
assert backend.claim(f"ready/{name}", b"here")
while not all(backend.lease(f"ready/{other}") for other in range(6)):
    time.sleep(0.001)
for turn in range(20):
    if backend.claim(f"claim/{turn}", name.encode()):
        print("claim", turn)
    backend.claim(f"swap/{turn}", b"dead")
    if backend.swap_lease(f"swap/{turn}", b"dead", name.encode()):
        print("swap", turn)
"""


def test_one_of_six_processes_gets_a_key(url, start_python):
    """Twenty keys to claim, and twenty to take over from the dead."""
    processes = [start_python(RACE, url, number) for number in range(6)]
    won = [line for process in processes for line in process.communicate(timeout=60)[0].splitlines()]
    assert sorted(won) == sorted(f"{what} {turn}" for what in ("claim", "swap") for turn in range(20))
    assert [process.returncode for process in processes] == [0] * 6


def test_a_forked_child_connects_anew(backend):
    """Parent and child use the backend at the same time, and neither reads the answers of the other."""
    backend.put("who/0/a", [b"parent"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork in a process with threads
        child = os.fork()
    who = "parent" if child else "child"
    fine = True
    for turn in range(200):
        backend.put(f"{who}/0/{turn}", [who.encode()])
        fine = fine and backend.get(f"{who}/0/{turn}") == who.encode() and backend.get("who/0/a") == b"parent"
    if not child:
        os._exit(0 if fine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert fine
    assert len(list(backend.keys("child/"))) == 200


def test_opening_loads_and_connects_nothing(start_python):
    """The client costs its time when it is first used; nobody listens at this port."""
    script = """
import sys
from rave_core.backend import StoreURL
from rave_valkey.plugin import open_valkey
open_valkey(StoreURL("valkey://127.0.0.1:1")).close()
print("valkey" in sys.modules)
"""
    assert start_python(script).communicate()[0] == "False\n"


def test_it_is_found_through_its_entry_point():
    """``rave plugins`` lists the plugin and its backend, with no problem."""
    assert entry_points(group="rave.plugins")["valkey"].value == "rave_valkey.plugin"
    rave = Path(sys.executable).with_name("rave")
    done = subprocess.run([rave, "plugins", "--json"], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    hooks = ["rave_register_backends", "rave_register_buses"]
    assert {"name": "valkey", "origin": "rave_valkey.plugin", "hooks": hooks} in told["plugins"]
    assert "valkey" in [backend["name"] for backend in told["backends"]]
    assert told["problems"] == []
