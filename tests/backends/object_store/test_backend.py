"""The object store, against an emulator of S3."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import re
import uuid
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import settings

from rave_backends.object_store import purger
from rave_backends.object_store.backend import ObjectStoreBackend
from rave_backends.object_store.bucket import Bucket
from rave_backends.object_store.config import S3Config
from rave_backends.plugin import open_object_store
from rave_core import Runtime, Settings, op, using
from rave_core.backend import StoreURL
from rave_core.clock import SystemClock
from rave_core.errors import BackendError, ConfigurationError
from rave_core.testing import (
    BackendContract,
    ObjectsContract,
    PinsContract,
    PurgeContract,
    UrlContract,
    backend_machine,
    frame_of,
    key_of,
)
from tests.backends.object_store.emulated_leases import EmulatedLeaseContract


class TestObjectStore(
    BackendContract, EmulatedLeaseContract, ObjectsContract, PinsContract, PurgeContract, UrlContract
):
    lacks = frozenset({"aging", "files", "holdings", "stats", "unpacking", "values"})
    persistent = True

    @pytest.fixture(autouse=True)
    def _where(self, moto, bucket):
        self.moto, self.bucket = moto, bucket

    def open_backend(self, place):
        """A prefix of the bucket for each place."""
        return ObjectStoreBackend(S3Config(self.bucket, endpoint=self.moto), f"of/{place.name}")


def test_it_does_what_a_dict_does(moto, bucket):
    """In any order of calls, each run in a prefix of its own."""
    places: dict[str, str] = {}

    def opening(place):
        return ObjectStoreBackend(S3Config(bucket, endpoint=moto), places.setdefault(str(place), uuid.uuid4().hex))

    case = backend_machine(opening, persistent=True).TestCase
    case.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
    case("runTest").runTest()


@pytest.fixture
def backend(s3_url):
    """An empty cache in moto."""
    return open_object_store(StoreURL(s3_url))


def objects(backend):
    """The names of all objects below the prefix."""
    return sorted(found.name for chunk in backend._bucket.list("team/") for found in chunk)


def test_an_object_is_named_for_its_key(backend):
    """So that other tools can browse the cache by operation."""
    backend.put("m:f/0/a", [b"x"])
    assert objects(backend) == ["team/m:f/0/a.rave"]


def test_caches_in_one_bucket_do_not_meet(moto, bucket):
    """Not even where the name of one starts with that of the other."""
    backends = [ObjectStoreBackend(S3Config(bucket, endpoint=moto), prefix) for prefix in ("a", "ab", "c/a", "")]
    for number, backend in enumerate(backends[:3]):
        backend.put("k/0/a", [b"%d" % number])
        assert backend.claim("k/0/a", b"%d" % number)
    assert [bytes(backend.get("k/0/a")) for backend in backends[:3]] == [b"0", b"1", b"2"]
    assert [list(backend.keys()) for backend in backends[:3]] == [["k/0/a"]] * 3
    backends[3].put("k/0/a", [b"3"])
    assert list(backends[3].keys("k/")) == ["k/0/a"]


def test_what_else_is_in_the_bucket_is_left_alone(backend):
    """Neither listed nor purged."""
    backend._bucket.put("team/notes.txt", [b"not ours"])
    assert list(backend.keys()) == []
    backend.purge(lambda entry: True, grace=0)
    assert objects(backend) == ["team/.rave/clock", "team/.rave/purged", "team/notes.txt"]


def test_a_frame_of_20_mb_comes_back(backend):
    """It goes in parts, each of which may end within a piece."""
    pieces = [os.urandom(7_000_001), memoryview(bytearray(13_000_000)), b"end"]
    backend.put(key_of("large"), pieces)
    assert backend.get(key_of("large")) == b"".join(pieces)
    assert backend.head(key_of("large"), 10) == pieces[0][:10]


@pytest.mark.parametrize("key", ["", ".rave/purged", "a/../b", "/a", "a//b", "a/.b", "a\0b"], ids=ascii)
def test_what_is_no_key_is_refused(backend, key):
    """No key leads to what belongs to the store, or to another cache."""
    with pytest.raises(BackendError, match="is not a key"):
        backend.put(key, [b"x"])


@pytest.mark.slow
def test_a_purge_in_many_parts_removes_all_that_is_dead(backend):
    """More objects than one list or one deletion holds."""
    dead = [key_of(f"dead{number}") for number in range(1050)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: backend.put(key, frame_of(key, expires_at=1.0)), dead))
    backend.put(key_of("live"), frame_of(key_of("live")))
    removed = backend.purge(lambda entry: not entry.is_fresh(5.0), grace=0)
    assert (removed.entries, removed.leftovers) == (1050, 0)
    assert removed.bytes == sum(len(b"".join(frame_of(key, expires_at=1.0))) for key in dead)
    assert list(backend.keys()) == [key_of("live")]


def test_two_purgers_do_not_work_at_once(backend, s3_url):
    """While one judges an entry, another, as of another host, leaves at once; afterwards it may."""
    backend.put(key_of("a"), frame_of(key_of("a"), expires_at=1.0))
    other, meanwhile = open_object_store(StoreURL(s3_url)), []

    def is_dead(_):
        meanwhile.append(other.purge(lambda entry: True, grace=0))
        return False

    assert backend.purge(is_dead, grace=0).entries == 0
    assert [purged.entries for purged in meanwhile] == [0]
    assert other.purge(lambda entry: True, grace=0).entries == 1


def test_a_purger_that_died_is_forgotten(backend, monkeypatch):
    """After ten minutes without a sign of life, by the clock of the store."""
    backend.put(key_of("a"), frame_of(key_of("a"), expires_at=1.0))
    backend._bucket.create("team/.rave/purging", b"")
    assert backend.purge(lambda entry: True, grace=0).entries == 0
    monkeypatch.setattr(purger, "FORSAKEN", 0.0)
    assert backend.purge(lambda entry: True, grace=0).entries == 1
    assert "team/.rave/purging" not in objects(backend)


def test_a_purge_removes_leases_that_nobody_renews(s3_url, bucket, moto, clock):
    """After an hour; those of the living stay."""
    backend = ObjectStoreBackend(S3Config(bucket, endpoint=moto), "team", clock=clock)
    backend.claim(key_of("a"), b"record")
    assert backend.purge(lambda entry: False, grace=0).leftovers == 0
    clock.advance(3700)
    assert backend.purge(lambda entry: False, grace=0).leftovers == 1
    assert backend.lease(key_of("a")) is None


def test_a_lost_answer_does_not_lose_the_claim(backend):
    """A client that repeats a request meets its own object: it still has the lease."""
    assert backend.claim(key_of("a"), b"mine")
    assert backend.claim(key_of("a"), b"mine")
    assert not backend.claim(key_of("a"), b"other")


def test_a_lease_that_is_half_removed_can_be_taken_over(backend):
    """Whoever was killed between emptying and deleting it left an empty record."""
    backend.claim(key_of("a"), b"mine")
    backend._bucket.put(backend._leases._name(key_of("a")), [b""])
    assert backend.lease(key_of("a")) == b""
    assert backend.swap_lease(key_of("a"), b"", b"next")
    assert backend.lease(key_of("a")) == b"next"


def test_trying_the_store_out_leaves_nothing(backend):
    """The probe is deleted, and made once only."""
    tried = backend._leases.tried()
    assert (tried.creates, tried.replaces) == (True, True)
    assert objects(backend) == []
    assert backend._leases.tried() is tried


class Unconditional(Bucket):
    """A store that creates on a condition, and never replaces on one."""

    def replace(self, name, data, tag, version=None):
        """Refuses each tag, as a store does that takes no form of it for right."""
        return False


def test_where_nothing_is_replaced_on_a_condition_swaps_compare_themselves(backend):
    """They read, compare and write: good for all that do not come in the same instant."""
    backend._leases._bucket.__class__ = Unconditional
    assert backend.claim(key_of("a"), b"one")
    assert backend._leases.tried().replaces is False
    assert backend.swap_lease(key_of("a"), b"other", b"two") is False
    assert backend.swap_lease(key_of("a"), b"one", b"two") is True
    assert backend.lease(key_of("a")) == b"two"
    assert backend.swap_lease(key_of("a"), b"two", None) is True
    assert backend.lease(key_of("a")) is None


def test_a_forked_child_is_told_instead_of_waiting_for_ever(backend):
    """The client's threads do not survive a fork."""
    backend.put(key_of("a"), [b"x"])
    assert _in_a_fork(lambda: backend.get(key_of("a"))) == "BackendError: forked"
    assert bytes(backend.get(key_of("a"))) == b"x"


def test_a_fork_before_the_first_use_is_fine(s3_url, start_python):
    """What was opened, but not used, works in the child as in the parent."""
    script = """
import os, sys
from rave_backends.plugin import open_object_store
from rave_core.backend import StoreURL
backend = open_object_store(StoreURL(sys.argv[1]))
if child := os.fork():
    os.waitpid(child, 0)
    print(bytes(backend.get("k/0/a")).decode())
else:
    backend.put("k/0/a", [b"from the child"])
    os._exit(0)
"""
    assert start_python(script, s3_url).stdout.read() == "from the child\n"


def _in_a_fork(act):
    receiving, sending = multiprocessing.Pipe(duplex=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork in a process with threads, which is the point
        child = os.fork()
    if not child:
        try:
            act()
            sending.send("no error")
        except BaseException as error:
            sending.send(f"{type(error).__name__}: {'forked' if 'forked' in str(error) else error}")
        os._exit(0)
    answer = receiving.recv() if receiving.poll(10) else "no answer"
    os.kill(child, 9)
    os.waitpid(child, 0)
    return answer


def test_without_obstore_the_error_names_what_to_install(monkeypatch):
    """When the cache opens, not when it is first used."""
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "rave_backends.object_store.config.find_spec", lambda name: None if name == "obstore" else found(name)
    )
    with pytest.raises(ConfigurationError, match=re.escape("pip install rave-framework[s3]")):
        open_object_store(StoreURL("s3://bucket"))


def test_opening_loads_no_client(s3_url, start_python):
    """It costs its time when it is first used."""
    script = """
import sys
from rave_backends.plugin import open_object_store
from rave_core.backend import StoreURL
open_object_store(StoreURL(sys.argv[1]))
print("obstore" in sys.modules)
"""
    assert start_python(script, s3_url).stdout.read() == "False\n"


def test_an_operation_is_answered_from_the_bucket(s3_url, tmp_path, ran):
    """By another runtime, with nothing else in common than the bucket and the key that seals."""
    (tmp_path / "key").write_text("0123456789abcdef" * 4)
    (tmp_path / "key").chmod(0o600)

    @op(name="object-store:double")
    def double(number):
        print("double", number)
        return {"twice": number * 2, "kind": Kind}

    for _ in range(2):
        key = tmp_path / "key"
        products = [f"file://{tmp_path}/p"]
        with using(Runtime(Settings(cache=["memory://", s3_url], products=products, signing_key_file=key))):
            assert double(4) == {"twice": 8, "kind": Kind}
    assert ran() == ["double 4"]


class Kind:
    """Kept as a pickle, so by a trusted seal alone."""


def test_without_a_signing_key_only_data_is_kept(s3_url, tmp_path, caplog):
    """A bucket counts as shared: nothing is unpickled from it unless it is sealed."""
    with using(Runtime(Settings(cache=[s3_url], products=[f"file://{tmp_path}/p"]))) as runtime:
        assert runtime.cache.signer.trusted is False
    assert "there is no signing_key_file" in caplog.text


def test_two_processes_run_a_key_once(s3_url, tmp_path, start_python):
    """Started together, they share one run by way of the bucket alone."""
    (tmp_path / "key").write_text("0123456789abcdef" * 4)
    (tmp_path / "key").chmod(0o600)
    script = """
import os, sys, time
from rave_core import Runtime, Settings, op, using
url, key, home = sys.argv[1:]

@op(name="object-store:slow", version=1)
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
    processes = [start_python(script, s3_url, tmp_path / "key", tmp_path) for _ in range(2)]
    assert [process.stdout.read() for process in processes] == ["[0, 2]\n", "[0, 2]\n"]
    assert sorted(path.name.rpartition("-")[2] for path in tmp_path.glob("ran-*")) == ["0", "1"]


def test_the_clock_of_a_bucket_is_the_stores(backend):
    """The time of the last purge is told by the store, in Unix seconds."""
    backend.purge(lambda entry: False, grace=0)
    assert abs(backend.last_purge() - SystemClock().now()) < 60
