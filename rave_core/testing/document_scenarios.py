"""The scenarios that processes play with one document store: a race, kills at each step, a restarted server."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from rave_core.documents import Conflict, Document, DocumentStore
from rave_core.testing.process_harness import DocumentHarness, answers_of, chosen

OLD, NEW = b"old" * 1000, b"new" * 50_000


def race(harness: DocumentHarness, processes: int, rounds: int) -> dict[str, Any]:
    """How many processes won each round, in which all save the same version, and what is there afterwards."""
    together = multiprocessing.get_context("fork").Barrier(processes)

    def save(store: DocumentStore) -> list[bool]:
        won = []
        for version in range(rounds):
            together.wait(60)
            try:
                saved = store.save("race", "k", b"%d" % os.getpid(), expect=version, author=str(os.getpid()))
            except Conflict:
                won.append(False)
            else:
                won.append(store.get("race", "k", version + 1) == Document(saved, b"%d" % os.getpid()))
            together.wait(60)  # until all have tried, so that the next round is based on this one
        return won

    children = [harness.start(save) for _ in range(processes)]
    winners = [sum(column) for column in zip(*answers_of(children), strict=True)]
    return {"winners": winners, **harness.play(_outcome)}


def _outcome(store: DocumentStore) -> dict[str, Any]:
    versions = [each.version for each in store.history("race", "k")]
    return {"versions": versions, "changes": len(list(store.changes(0))), "problems": store.check()}


def kills(harness: DocumentHarness, act: str, most: int) -> dict[str, Any]:
    """Kills a process at each line of a save; returns what was wrong after each, by line number."""
    payload = None if act == "delete" else NEW
    harness.play(partial(_prepare, act, ["counted", "bystander"]))
    total = harness.lines(partial(_save, act, "counted", payload))
    killed, wrong, absent = 0, {}, 0
    for number in chosen(total, most):
        key = f"{act}-{number}"
        harness.play(partial(_prepare, act, [key]))
        killed += harness.killed_at(number, partial(_save, act, key, payload)).was_killed
        try:
            absent += harness.play(partial(_is_whole, act, key, payload))
        except AssertionError as problem:
            wrong[str(number)] = str(problem)
    return {"lines": total, "killed": killed, "absent": absent, "wrong": wrong}


def _prepare(act: str, keys: list[str], store: DocumentStore) -> None:
    store.declare("replace", keep=1)
    for key in keys:
        store.save(act, key, OLD, expect=0, author="ada")


def _save(act: str, key: str, payload: bytes | None, store: DocumentStore) -> None:
    store.save(act, key, payload, expect=1, author="bob")


def _is_whole(act: str, key: str, payload: bytes | None, store: DocumentStore) -> bool:
    """Checks that a save took place or did not; returns whether it did not."""
    found = store.get(act, key)
    assert found is not None, "the version that was there before is gone"
    assert found.payload == (payload if found.metadata.version == 2 else OLD), "a payload that nobody saved"
    assert found.metadata.author == ("bob" if found.metadata.version == 2 else "ada"), "a mixture of two versions"
    kept = [each.version for each in store.history(act, key)]
    assert kept == ([2] if act == "replace" else [2, 1])[-found.metadata.version :] or kept == [1], f"versions {kept}"
    newest = store.changes(0)
    assert [change for change in newest if change.metadata.key == key][-1].metadata == found.metadata, "no change"
    store.save(act, key, NEW, expect=found.metadata.version, author="eve")
    assert (other := store.get(act, "bystander")) is not None, "another document is gone"
    assert other.payload == OLD, "another document was harmed"
    assert store.check() == [], "the store is damaged"
    return found.metadata.version == 1


COMMANDS: dict[str, Callable[..., object]] = {"race": race, "kills": kills}


def main() -> None:
    """Plays the scenario that standard input names."""
    asked = json.load(sys.stdin)
    harness = DocumentHarness(asked["opening"], asked["place"])
    with harness.opened():
        pass  # what every child needs is imported once, before they begin; nothing stays open
    print(json.dumps(COMMANDS[asked["play"]](harness, **asked["arguments"])))  # noqa: T201  # the answer


if __name__ == "__main__":
    main()
