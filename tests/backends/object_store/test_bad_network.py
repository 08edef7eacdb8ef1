"""The object store over a network that is slow, breaks off, swallows and damages what goes through it."""

from __future__ import annotations

import itertools
import os
import time
from urllib.parse import urlsplit

import pytest

from rave_backends.plugin import open_object_store
from rave_core import Runtime, Settings, op, using
from rave_core.backend import StoreURL
from rave_core.errors import BackendError, RaveWarning
from rave_core.testing import BadNetwork, frame_of, key_of

A = key_of("a")
TIMEOUT = 1.5
CONTENT = os.urandom(200_000)

WRONG = {
    "slow": {"delay": 5.0},
    "silent": {"is_silent": True},
    "cut": {"cut_after": 40},
    "cut in the body": {"cut_after": 20_000},
}


@pytest.fixture
def network(moto):
    """A network in front of the emulator."""
    parts = urlsplit(moto)
    with BadNetwork((parts.hostname, parts.port)) as found:
        yield found


@pytest.fixture
def url(network, bucket):
    """The URL of an empty cache behind it."""
    return f"s3://{bucket}/team?endpoint=http://127.0.0.1:{network.address[1]}&timeout={TIMEOUT}s"


def spoil(network, wrong):
    """Has the network be wrong in that way."""
    for name, value in wrong.items():
        setattr(network, name, value)


def test_a_good_network_is_no_hindrance(network, url):
    """What is put through it comes back."""
    backend = open_object_store(StoreURL(url))
    backend.put(A, [CONTENT])
    assert bytes(backend.get(A)) == CONTENT


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_no_call_hangs_and_none_gives_a_part(network, url, wrong):
    """Each ends within its time, in trouble or with all of it; and the store is as before once the network is."""
    backend = open_object_store(StoreURL(url))
    backend.put(A, [CONTENT])
    spoil(network, wrong)
    for call in (lambda: backend.get(A), lambda: backend.claim(A, b"x"), lambda: list(backend.keys())):
        started = time.monotonic()
        try:
            found = call()
        except BackendError:
            pass
        else:
            assert not isinstance(found, memoryview) or bytes(found) == CONTENT
        assert time.monotonic() - started < 6 * TIMEOUT  # a claim makes several requests
    network.heal()
    assert bytes(backend.get(A)) == CONTENT


def test_damage_on_the_way_is_never_an_answer(network, url, recwarn):
    """A call gives the right value, from the cache or computed; nothing that changed on its way is used."""
    ran = itertools.count()

    @op(version="1", name="network:f")
    def f(number):
        next(ran)
        return CONTENT[number:]

    for damage in (False, True, True, False):
        network.damage = damage
        with using(Runtime(Settings(cache=[url], data_only=True, products=["file:///nowhere"]))):
            assert f(1) == CONTENT[1:]
    assert next(ran) >= 2
    assert all(issubclass(each.category, RaveWarning) for each in recwarn)


def test_a_runtime_answers_from_memory_and_by_computing_while_the_network_is_away(network, url, recwarn):
    """And after the first calls in trouble, at once: the layer is left alone."""

    @op(version="1", name="network:g")
    def g(number):
        return number * 2

    with using(Runtime(Settings(cache=["memory://", url], data_only=True, products=["file:///nowhere"]))):
        assert g(0) == 0
        network.is_silent = True
        for number in range(1, 4):
            assert g(number) == number * 2
        started = time.monotonic()
        for number in range(4):
            assert g(number) == number * 2
        assert time.monotonic() - started < 2 * TIMEOUT  # one of them may be the trial
    assert all(issubclass(each.category, RaveWarning) for each in recwarn)


def test_a_write_that_broke_off_is_seen_whole_or_not_at_all(network, url, moto, bucket):
    """Readers beside the network see the old or the new frame."""
    direct = open_object_store(StoreURL(f"s3://{bucket}/team?endpoint={moto}"))
    old, new = (b"".join(frame_of(A, payload)) for payload in (b"old", CONTENT))
    direct.put(A, [old])
    backend = open_object_store(StoreURL(url))
    network.cut_after = 1
    with pytest.raises(BackendError):
        backend.put(A, [new])
    assert bytes(direct.get(A)) in (old, new)
