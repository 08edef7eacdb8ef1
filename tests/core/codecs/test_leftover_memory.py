"""Bytes of an array that belong to no field hold nothing: neither what is kept nor what is read shows old memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from rave_core.codecs.arrays import NumpyCodec

SECRET = b"SECRET.."
FIELD = np.dtype({"names": ["a"], "formats": ["i1"], "offsets": [5], "itemsize": 100})
NESTED = np.dtype({"names": ["b"], "formats": [FIELD], "offsets": [7], "itemsize": 200})


def leave_traces() -> None:
    """Fills memory of many sizes, and frees it."""
    held = [np.frombuffer(SECRET * size, "u1").copy() for size in (10, 100, 625, 1000, 2500) for _ in range(40)]
    assert held


def described(dtype: np.dtype[Any], itemsize: int) -> dict[str, Any]:
    """The description of one field in a wider item."""
    return {
        "names": ["a"],
        "formats": [dtype.str],
        "offsets": [0],
        "titles": [None],
        "itemsize": itemsize,
        "aligned": False,
    }


@pytest.mark.parametrize(
    ("description", "shape", "size"),
    [
        (described(np.dtype("i1"), 100), [50], 5000),
        (described(np.dtype("S0"), 8), [625], 5000),
        ({**described(np.dtype("i1"), 5000)}, [], 5000),
        ({"names": [], "formats": [], "offsets": [], "titles": [], "itemsize": 100, "aligned": False}, [50], 5000),
    ],
)
def test_reading_shows_only_what_the_entry_holds(description: dict[str, Any], shape: list[int], size: int) -> None:
    """Whoever wrote the description; and what comes out can be written to."""
    for _ in range(20):
        leave_traces()
        head = msgspec.msgpack.encode([description, shape, "C", False])
        found: Any = NumpyCodec().decode([memoryview(head), memoryview(bytes(size))])
        shown: Any = np.ndarray(size, "u1", found.base) if shape else np.frombuffer(found, "u1")
        assert not shown.any()
        assert found.flags.writeable


@pytest.mark.parametrize("dtype", [FIELD, NESTED])
@pytest.mark.parametrize(
    "make",
    [
        lambda dtype: np.empty((10, 5), dtype),
        lambda dtype: np.empty((10, 5), dtype, "F"),
        lambda dtype: np.empty((20, 5), dtype)[::2],
        lambda dtype: np.empty((4,), dtype)[1],
    ],
)
def test_keeping_writes_only_the_fields(make: Callable[[np.dtype[Any]], Any], dtype: np.dtype[Any]) -> None:
    """An array of a store that others read says nothing about the process that made it."""
    for _ in range(20):
        leave_traces()
        value = make(dtype)
        if isinstance(value, np.ndarray):
            for name in dtype.names or ():
                value[name] = np.zeros((), dtype[name])
        head, memory = NumpyCodec().encode(value) or (b"", b"")
        assert SECRET[1:6] not in bytes(memory)
        back: Any = NumpyCodec().decode([memoryview(head), memoryview(memory)])
        assert back.dtype == value.dtype
        assert np.array_equal(back, value)


def test_items_without_gaps_are_not_copied() -> None:
    """Their memory is kept as it is."""
    value = np.zeros(100, np.dtype([("a", "i4"), ("b", "f4"), ("c", "u1", (8,))]))
    _, memory = NumpyCodec().encode(value) or (b"", b"")
    assert np.shares_memory(np.asarray(memory), value)
