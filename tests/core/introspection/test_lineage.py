"""The lineage of a result: what it was computed from."""

from __future__ import annotations

from typing import Any

import pytest

from rave_core import Operation, Runtime, op
from rave_core.clock import SystemClock
from rave_core.introspection.lineage import dependents, lineage

_operations: dict[str, Operation[..., Any]] = {}


def _leaf(n: int) -> int:
    return n


def _pair(n: int) -> int:
    return int(_operations["leaf"](n) + _operations["leaf"](0))


def _root(count: int) -> int:
    return sum(int(_operations["pair"](n)) for n in range(1, count + 1))


@pytest.fixture
def root(runtime: Runtime) -> Operation[..., Any]:
    """An operation over pairs of leaves; all pairs share one leaf."""
    for name, function in (("leaf", _leaf), ("pair", _pair), ("root", _root)):
        _operations[name] = op(name=f"lineage/{name}")(function)
    return _operations["root"]


def test_each_result_is_followed_by_those_it_was_made_from(runtime: Runtime, root: Operation[..., Any]) -> None:
    """A shared one is marked where it occurs again."""
    root(2)
    key = root.key(2)
    assert key is not None
    found = lineage([runtime.cache], key)
    shape = [(step.depth, step.key.operation.rpartition("/")[2], step.is_repeated) for step in found]
    assert shape == [
        (0, "root", False),
        (1, "pair", False),
        (2, "leaf", False),
        (2, "leaf", False),
        (1, "pair", False),
        (2, "leaf", False),
        (2, "leaf", True),
    ]
    assert all(step.entry is not None and step.entry.key == step.key.text for step in found)
    assert len(lineage([runtime.cache], key, most=3)) == 3


def test_what_is_not_kept_any_more_has_no_entry(runtime: Runtime, root: Operation[..., Any]) -> None:
    """It is named all the same; what it was made from is not known then."""
    root(1)
    _operations["pair"].invalidate(1)
    key = root.key(1)
    assert key is not None
    assert [(step.depth, step.entry is None) for step in lineage([runtime.cache], key)] == [(0, False), (1, True)]


def test_what_was_made_from_a_result_is_found(runtime: Runtime, root: Operation[..., Any]) -> None:
    """What records it itself, the latest first, and each once; those further on do not count."""
    root(2)
    leaf, pair = _operations["leaf"].key(2), _operations["pair"].key(2)
    assert leaf is not None
    assert pair is not None
    found = dependents([runtime.cache, runtime.cache], leaf, SystemClock())
    assert ([entry.key for entry in found.entries], found.is_complete) == ([pair.text], True)
    assert [entry.arguments for entry in dependents([runtime.cache], pair, SystemClock()).entries] == [{"count": "2"}]
    shared = _operations["leaf"].key(0)
    assert shared is not None
    times = [entry.created_at for entry in dependents([runtime.cache], shared, SystemClock()).entries]
    assert (len(times), times) == (2, sorted(times, reverse=True))


def test_a_search_that_takes_too_long_says_so(runtime: Runtime, root: Operation[..., Any]) -> None:
    """It ends after its time, and gives what it has."""
    root(2)
    leaf = _operations["leaf"].key(2)
    assert leaf is not None
    assert not dependents([runtime.cache], leaf, SystemClock(), seconds=-1.0).is_complete
