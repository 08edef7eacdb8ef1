"""The scenarios that a `harness` plays: crashes at each step, races, hosts with other clocks."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from rave_core.backend import peek
from rave_core.model import Bytes
from rave_core.testing.capable import Capable
from rave_core.testing.clock import shift_time
from rave_core.testing.process_harness import BackendHarness, answers_of, chosen
from rave_core.testing.product_scenarios import CopyScenario, ObjectScenario, ProductScenario
from rave_core.testing.samples import frame_of, key_of
from rave_core.testing.scenario import LATER, NEW, OLD, Scenario, never, whole


class PutScenario(Scenario):
    """A frame takes the place of another."""

    def prepare(self, backend: Capable, key: str) -> None:
        """The other one."""
        backend.put(key, frame_of(key, OLD))

    def act(self, backend: Capable, key: str) -> None:
        """What is interrupted."""
        backend.put(key, frame_of(key, NEW))

    def check(self, backend: Capable, key: str) -> None:
        """One of them is there, whole, and can be replaced."""
        found = backend.get(key)
        assert found is not None, "the frame that was there before is gone"
        assert bytes(found) in (whole(key, OLD), whole(key, NEW)), "neither the old frame nor the new one"
        backend.put(key, frame_of(key, LATER))
        assert bytes(backend.get(key) or b"") == whole(key, LATER), "what was put afterwards is not there"


class DeleteScenario(PutScenario):
    """A frame is deleted."""

    def act(self, backend: Capable, key: str) -> None:
        """What is interrupted."""
        backend.delete(key)

    def check(self, backend: Capable, key: str) -> None:
        """It is there, whole, or not; and another can be put."""
        found = backend.get(key)
        assert found is None or bytes(found) == whole(key, OLD), "a part of a deleted frame is left"
        backend.put(key, frame_of(key, LATER))
        assert bytes(backend.get(key) or b"") == whole(key, LATER), "what was put afterwards is not there"


class LeaseScenario(Scenario):
    """A lease is claimed, renewed and released."""

    def prepare(self, backend: Capable, key: str) -> None:
        """Nobody has it."""

    def act(self, backend: Capable, key: str) -> None:
        """What is interrupted."""
        assert backend.claim(key, b"first")
        assert backend.swap_lease(key, b"first", b"second")
        assert backend.swap_lease(key, b"second", None)

    def check(self, backend: Capable, key: str) -> None:
        """The next process gets it: by a claim if it is free, else by a takeover."""
        seen = backend.lease(key)
        taken = backend.claim(key, b"mine") if seen is None else backend.swap_lease(key, seen, b"mine")
        assert taken, f"a lease with the record {seen!r} can neither be claimed nor taken over"
        assert not backend.claim(key, b"yours"), "two have the lease"
        assert backend.swap_lease(key, b"mine", None), "the lease can't be given back"


SCENARIOS: dict[str, Scenario] = {
    "put": PutScenario(),
    "delete": DeleteScenario(),
    "product": ProductScenario(),
    "object": ObjectScenario(),
    "copy": CopyScenario(),
    "lease": LeaseScenario(),
}


def crashes(harness: BackendHarness, act: str, most: int) -> dict[str, Any]:
    """Kills a process at each line of an act; returns what was wrong after each, by line number.

    If there are more than ``most`` lines, it chooses ``most`` of them evenly, including the first and the last.
    """
    scenario, bystander = SCENARIOS[act], key_of("bystander")
    harness.play(lambda backend: backend.put(bystander, frame_of(bystander, OLD)))
    spare = key_of(f"{act}-counted")
    harness.play(partial(_prepare, scenario, spare))
    total = harness.lines(partial(_act, scenario, spare))
    killed, wrong = 0, {}
    for number in chosen(total, most):
        key = key_of(f"{act}-{number}")
        harness.play(partial(_prepare, scenario, key))
        killed += harness.killed_at(number, partial(_act, scenario, key)).was_killed
        try:
            harness.play(partial(_check, scenario, key))
            harness.play(lambda backend: _is_unharmed(backend, bystander))
        except AssertionError as problem:
            wrong[str(number)] = str(problem)
    return {"lines": total, "killed": killed, "wrong": wrong}


def _prepare(scenario: Scenario, key: str, backend: Capable) -> None:
    scenario.prepare(backend, key)


def _act(scenario: Scenario, key: str, backend: Capable) -> None:
    scenario.act(backend, key)


def _check(scenario: Scenario, key: str, backend: Capable) -> None:
    scenario.check(backend, key)


def _is_unharmed(backend: Capable, key: str) -> None:
    assert bytes(backend.get(key) or b"") == whole(key, OLD), "another entry was harmed"


def claims(harness: BackendHarness, processes: int, rounds: int) -> list[int]:
    """How many of the processes won each of the rounds, in which all claim one key at the same moment."""
    together = multiprocessing.get_context("fork").Barrier(processes)

    def claim(backend: Capable) -> list[bool]:
        won = []
        for number in range(rounds):
            together.wait(60)
            won.append(bool(backend.claim(key_of(f"race-{number}"), str(os.getpid()).encode())))
        together.wait(60)
        return won

    children = [harness.start(claim) for _ in range(processes)]
    return [sum(column) for column in zip(*answers_of(children), strict=True)]


def stress(harness: BackendHarness, processes: int, actions: int) -> int:
    """How many frames were read whole while several processes put, read, delete and purge a few keys."""
    names = [key_of(f"busy-{number}") for number in range(5)]

    def hurry(seed: int) -> Callable[[Capable], int]:
        def act(backend: Capable) -> int:
            chance, read = random.Random(seed), 0  # noqa: S311  # the same on every run
            for _ in range(actions):
                key = chance.choice(names)
                deed = chance.choice(("put", "put", "get", "get", "get", "delete", "purge", "keys"))
                if deed == "put":
                    backend.put(key, frame_of(key, bytes([chance.randrange(256)]) * chance.randrange(1, 20_000)))
                elif deed == "get" and (found := backend.get(key)) is not None:
                    read += _iswhole(found, key)
                elif deed == "delete":
                    backend.delete(key)
                elif deed == "purge" and hasattr(backend, "purge"):
                    backend.purge(never, grace=0)
                elif deed == "keys":
                    assert set(backend.keys()) <= set(names), "a key that nobody put"
            return read

        return act

    return sum(answers_of([harness.start(hurry(seed)) for seed in range(processes)]))


def _iswhole(frame: Bytes, key: str) -> bool:
    entry = peek(frame)
    payload = bytes(frame)[-entry.size :]
    assert entry.key == key, "the frame of another key"
    assert bytes(frame) == whole(key, payload), "a frame that nobody put"
    assert len(set(payload)) == 1, "a mixture of two frames"
    return True


def clocks(harness: BackendHarness, seconds: float) -> dict[str, Any]:
    """What is left of one host's work after a purge by another host whose clock is ``seconds`` off."""
    ready, purged = multiprocessing.get_context("fork").Event(), multiprocessing.get_context("fork").Event()

    def wait_for_purge() -> None:
        ready.set()
        assert purged.wait(60)

    def there(backend: Capable) -> None:
        backend.purge(never, grace=3600)
        purged.set()

    host = harness.start(partial(_work_over, wait=wait_for_purge))
    assert ready.wait(60)
    shift_time(seconds)
    harness.play(there)
    (found,) = answers_of([host])
    return dict(found)


def _work_over(backend: Capable, wait: Callable[[], None]) -> dict[str, Any]:
    """Which of an entry, a lease and a draft are still whole after a wait."""
    key, has_lease = key_of("here"), hasattr(backend, "claim")
    backend.put(key, frame_of(key, OLD))
    if has_lease:
        assert backend.claim(key, b"first")
        assert backend.swap_lease(key, b"first", b"record")
    draft = backend.draft(".txt") if hasattr(backend, "draft") else None
    if draft is not None:
        draft.write_bytes(NEW)
    wait()
    return {
        "frame": bytes(backend.get(key) or b"") == whole(key, OLD),
        "lease": not has_lease or backend.swap_lease(key, b"record", None),
        "draft": draft is None or draft.read_bytes() == NEW,
    }


COMMANDS: dict[str, Callable[..., object]] = {"crashes": crashes, "claims": claims, "stress": stress, "clocks": clocks}


def main() -> None:
    """Plays the scenario that standard input names."""
    asked = json.load(sys.stdin)
    harness = BackendHarness(asked["opening"], asked["place"])
    print(json.dumps(COMMANDS[asked["play"]](harness, **asked["arguments"])))  # noqa: T201  # its answer


if __name__ == "__main__":
    main()
