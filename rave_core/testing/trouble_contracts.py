"""Contracts for backends in trouble: damage, no room, a bad network. Pytest classes to subclass.

Trouble in a store is a ``BackendError`` or an ``OSError``: the engine then goes on without it. It is never a wrong
answer, and never a call that hangs.
"""

from __future__ import annotations

import itertools
import pickle
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from msgspec import structs

from rave_core.backend import Backend, BackendFactory, peek
from rave_core.clock import SystemClock
from rave_core.errors import RaveWarning
from rave_core.hookspecs import hookimpl
from rave_core.operations.decorators import op
from rave_core.registry import Registry
from rave_core.runtime.runtime import Runtime, using
from rave_core.settings import Settings
from rave_core.storage.digests import BLAKE3
from rave_core.storage.frame import digest, pack
from rave_core.storage.signature import Signer
from rave_core.testing.network import BadNetwork
from rave_core.testing.plugins import isolated_plugins
from rave_core.testing.samples import Some, frame_of, key_of

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a bit of the start": lambda frame: bytes([frame[0] ^ 1]) + frame[1:],
    "a bit of the header": lambda frame: frame[:60] + bytes([frame[60] ^ 4]) + frame[61:],
    "a bit of the end": lambda frame: frame[:-1] + bytes([frame[-1] ^ 128]),
    "half of it": lambda frame: frame[: len(frame) // 2],
    "nothing": lambda _: b"",
    "more": lambda frame: frame + b"\0",
    "other bytes": lambda _: b"<html>502 Bad Gateway</html>",
}
"""Ways to damage a frame."""


class _Plugin:
    """Gives one backend under a scheme of its own."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @hookimpl
    def rave_register_backends(self, registry: Registry[BackendFactory]) -> None:
        """Adds it."""
        registry.add("tried", lambda _: self._backend, origin="rave_core.testing")


class _Bomb:
    def __init__(self, mark: str) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self._mark, "w")


_ran: list[int] = []


@op(name="contract:computed", version=1)
def computed(number: int) -> dict[str, int]:
    """A small answer."""
    _ran.append(number)
    return {"number": number}


class DamageContract(ABC):
    """A damaged frame counts as absent: the call is computed, the damage reported and removed."""

    @abstractmethod
    def open_backend(self, place: Path) -> Backend:
        """As in a `BackendContract`."""

    def damage(self, backend: Some, key: str, frame: bytes) -> None:
        """Replaces the frame of ``key`` by ``frame``, as a bad disk would. Override it if a put can't do that."""
        backend.put(key, [frame])

    @pytest.mark.parametrize("how", DAMAGES)
    def test_damage_is_a_miss_and_is_reported(self, tmp_path: Path, how: str) -> None:
        """The answer is right, the damage is counted, and the call after that is a hit."""
        with self._tried(tmp_path) as (runtime, call, ran):
            backend: Some = runtime.cache.backend
            key = call.key(1).text
            self.damage(backend, key, DAMAGES[how](bytes(backend.get(key))))
            assert call(1) == {"number": 1}
            assert len(ran) == 2
            assert runtime.statistics.namespace["Damaged Entries"] >= 1
            assert call.resolve(1).status == "hit"

    def test_an_entry_under_another_key_is_a_miss(self, tmp_path: Path) -> None:
        """However intact its seal is."""
        with self._tried(tmp_path) as (runtime, call, ran):
            backend: Some = runtime.cache.backend
            call(2)
            self.damage(backend, call.key(1).text, bytes(backend.get(call.key(2).text)))
            assert call(1) == {"number": 1}
            assert ran == [1, 2, 1]

    def test_nothing_forged_is_unpickled(self, tmp_path: Path) -> None:
        """A pickle under another seal is never run, with any header."""
        with self._tried(tmp_path) as (runtime, call, _):
            backend: Some = runtime.cache.backend
            key, payload = call.key(1).text, pickle.dumps(_Bomb(str(tmp_path / "mark")), protocol=5)
            content = digest([payload], BLAKE3)
            entry = structs.replace(
                peek(backend.get(key)), codec="pickle", sizes=(len(payload),), digest=content, product=None
            )
            self.damage(backend, key, b"".join(map(bytes, pack(entry, [payload], Signer(b"of somebody else")))))
            assert call(1) == {"number": 1}
            assert not (tmp_path / "mark").exists()

    @contextmanager
    def _tried(self, tmp_path: Path) -> Iterator[tuple[Runtime, Any, list[int]]]:
        """A runtime over the backend, an operation with one call kept, and what its body was run for."""
        (tmp_path / "signing").write_bytes(b"0123456789abcdef" * 4)
        (tmp_path / "signing").chmod(0o600)
        settings = Settings(
            cache=["tried://"], products=[f"file://{tmp_path}/products"], signing_key_file=tmp_path / "signing"
        )
        _ran.clear()
        plugins = isolated_plugins(_Plugin(self.open_backend(tmp_path / "store")))
        with Runtime(settings, plugins=plugins) as runtime, using(runtime), warnings.catch_warnings():
            warnings.simplefilter("ignore", RaveWarning)
            computed(1)
            yield runtime, computed, _ran


class SpaceContract(ABC):
    """A store without room left says so, keeps what it has, and takes more once there is room."""

    @abstractmethod
    @pytest.fixture
    def cramped(self) -> Some:
        """A backend with room for 1 MB at least, and for less than 40 MB."""

    def test_a_full_store_refuses_and_keeps_what_it_has(self, cramped: Some) -> None:
        """Puts fail with an error of the store; every frame that was put is there, whole, and no other."""
        kept = self._fill(cramped)
        assert kept
        for name in kept:
            assert bytes(cramped.get(key_of(name)) or b"") == self._frame(name), name
        assert set(cramped.keys()) == set(map(key_of, kept))

    def test_a_full_store_keeps_the_old_where_the_new_does_not_fit(self, cramped: Some) -> None:
        """A put that fails changes nothing."""
        name = self._fill(cramped)[0]
        with pytest.raises(OSError):
            cramped.put(key_of(name), [bytes(40_000_000)])
        assert bytes(cramped.get(key_of(name)) or b"") == self._frame(name)

    def test_room_can_be_made_and_used(self, cramped: Some) -> None:
        """Deleting works in a full store, and afterwards there is room again."""
        kept = self._fill(cramped)
        for name in kept[: len(kept) // 2 + 1]:
            assert cramped.delete(key_of(name)) is True
        if hasattr(cramped, "purge"):
            cramped.purge(lambda _: False, grace=0)
        cramped.put(key_of("again"), [self._frame("again")])
        assert bytes(cramped.get(key_of("again")) or b"") == self._frame("again")

    def _fill(self, backend: Some) -> list[str]:
        """Puts until the store refuses; what it took."""
        kept: list[str] = []
        for number in range(400):
            name = f"full-{number}"
            try:
                backend.put(key_of(name), [self._frame(name)])
            except OSError:
                return kept
            kept.append(name)
        pytest.fail("the store took 40 MB: it has more room than this contract is for, or does not say when it is full")

    def _frame(self, name: str) -> bytes:
        return b"".join(map(bytes, frame_of(key_of(name), name.encode() * 10_000)))


WRONGS: dict[str, dict[str, Any]] = {
    "slow": {"delay": 3600.0},
    "silent": {"is_silent": True},
    "cut at once": {"cut_after": 0},
    "cut in the answer's head": {"cut_after": 20},
    "cut in the body": {"cut_after": 50_000},
}
"""What can be wrong with a network: attributes of a `BadNetwork`."""

_CONTENT = bytes(range(256)) * 800
_A = key_of("a")
CALLS: dict[str, Callable[[Some], Any]] = {
    "get": lambda backend: backend.get(_A),
    "head": lambda backend: backend.head(_A, 100),
    "put": lambda backend: backend.put(_A, [_CONTENT]),
    "keys": lambda backend: list(backend.keys()),
    "claim": lambda backend: not hasattr(backend, "claim") or backend.claim(key_of("b"), b"x"),
}
"""What is asked over it."""


class NetworkContract(ABC):
    """Over a network that is slow, silent, breaks off or damages, no call hangs or gives a part, and all heals."""

    seconds: ClassVar[float] = 10.0
    """The maximum time of a call, in seconds; open the backend with a time limit well below it."""

    @abstractmethod
    @pytest.fixture
    def server(self) -> tuple[str, int]:
        """Host and port of the real server, with an empty store in it."""

    @abstractmethod
    def open_at(self, address: tuple[str, int]) -> Backend:
        """A backend that finds that store at ``address``."""

    @pytest.fixture
    def network(self, server: tuple[str, int]) -> Iterator[BadNetwork]:
        """A network in front of the server; good, until something is set."""
        with BadNetwork(server) as network:
            yield network

    @pytest.mark.parametrize("asked", CALLS)
    @pytest.mark.parametrize("wrong", WRONGS)
    def test_no_call_hangs_or_gives_a_part(self, network: BadNetwork, wrong: str, asked: str) -> None:
        """Each ends in time, with a store error or the whole answer; all works again once the network does."""
        backend = self.open_at(network.address)
        try:
            backend.put(_A, [_CONTENT])
            for name, value in WRONGS[wrong].items():
                setattr(network, name, value)
            started = SystemClock().monotonic()
            found = _asked(backend, CALLS[asked])
            assert SystemClock().monotonic() - started < self.seconds
            if asked == "get" and found is not None:
                assert bytes(found) == _CONTENT
            network.heal()
            assert bytes(_until_well(backend) or b"") == _CONTENT
        finally:
            backend.close()

    def test_damage_on_the_way_is_no_answer(self, network: BadNetwork) -> None:
        """A frame changed in transit is an error, absent, or fails its digest: it never passes for the frame."""
        backend = self.open_at(network.address)
        frame = b"".join(map(bytes, frame_of(_A, _CONTENT)))
        try:
            backend.put(_A, [frame])
            network.damage = True
            for _ in range(5):
                found = _asked(backend, CALLS["get"])
                if found is not None and bytes(found) != frame:
                    assert not _is_sound(bytes(found))
            network.heal()
            assert bytes(_until_well(backend) or b"") == frame
        finally:
            backend.close()

    def test_nobody_there_is_an_error(self, network: BadNetwork) -> None:
        """It fails in time, with a message; once a server is there, the same backend works."""
        backend = self.open_at(network.address)
        try:
            network.is_refusing = True
            started = SystemClock().monotonic()
            with pytest.raises(OSError) as caught:
                backend.get(_A)
            assert SystemClock().monotonic() - started < self.seconds
            assert str(caught.value)
            network.heal()
            assert _until_well(backend) is None
        finally:
            backend.close()


def _asked(backend: Some, call: Callable[[Some], Any]) -> Any:
    try:
        return call(backend)
    except OSError:
        return None


def _until_well(backend: Some) -> Any:
    """What ``get`` gives once the network is good again; a connection that broke may cost a call or two."""
    for attempt in itertools.count(1):
        try:
            return backend.get(_A)
        except OSError:
            if attempt == 3:
                raise
    return None


def _is_sound(frame: bytes) -> bool:
    try:
        entry = peek(frame)
    except ValueError:
        return False
    return entry.key == _A and digest([frame[-entry.size :]], BLAKE3) == entry.digest
