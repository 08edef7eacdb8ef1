"""Arrays and scalars of numpy come back as they were, without a copy where that can be."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from rave_core.errors import DamagedError, UnstorableError
from tests.core.codecs.sample_values import (
    CODECS,
    around,
    chosen,
    private,
    same,
    type_of,
)

NUMBERS = ("i1", "u2", "<i4", ">i4", "<u8", "<f2", ">f4", "<f8", "g", "<c8", ">c16", "<M8[ns]", "<m8[25s]")


STRUCTURED = np.dtype([("a", ">i2"), ("b", "<f8", (2, 2)), ("c", [("d", "S3"), ("e", "<M8[us]")])])
ARRAYS = [np.arange(6).reshape(2, 3).astype(dtype) for dtype in NUMBERS]
ARRAYS += [
    np.array([True, False]),
    np.array(["a", "bcd"]),
    np.array([b"a", b"bcd"]),
    np.array([b"ab"], dtype="V2"),
    np.array(["NaT", "2024-01-01"], dtype="M8[D]"),
    np.zeros(3, STRUCTURED),
    np.zeros(3, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    np.zeros(2, np.dtype({"names": ["x"], "formats": ["<i4"], "offsets": [4], "itemsize": 16})),
    np.zeros(2, np.dtype([(("title", "x"), "<i4")])),
    np.array(5.0),
    np.zeros((0, 3)),
    np.zeros((3, 0), "U0"),
    np.array([], dtype="M8[s]"),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(20)[::2],
    np.arange(20)[::-1],
    np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
    np.broadcast_to(np.arange(3), (2, 3)),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}-{a.shape}-{a.strides}"[:60])
def test_arrays_of_any_dtype_come_back_writable(array: Any) -> None:
    """Dtype, shape, bytes and Fortran order are kept, and pickle is not needed."""
    assert chosen(array, data_only=True) == "numpy"
    back = around(array, data_only=True)
    assert same(back, array)
    assert back.dtype.isalignedstruct == array.dtype.isalignedstruct
    assert back.dtype.fields == array.dtype.fields
    assert back.flags.writeable
    assert back.flags.aligned
    assert back.flags.f_contiguous == (array.flags.f_contiguous or back.ndim < 2 or not back.size)


@pytest.mark.parametrize(
    "scalar",
    [
        np.float64(-0.0),
        np.int8(3),
        np.bool_(True),
        np.str_("ab"),
        np.bytes_(b"a"),
        np.datetime64("NaT", "s"),
        np.float16(1),
    ],
)
def test_numpy_scalars_stay_numpy_scalars(scalar: Any) -> None:
    """A numpy scalar does not become an array or a Python number."""
    back = around(scalar, data_only=True)
    assert type(back) is type(scalar)
    assert back.tobytes() == scalar.tobytes()


@pytest.mark.parametrize(
    "value",
    [
        np.array([object()]),
        np.array([1, "a"], dtype=object),
        np.zeros(1, [("a", "O")]),
        np.rec.array([(1,)], dtype=[("a", "i4")]),
        np.ma.array([1]),
        np.array(["a"], dtype=np.dtypes.StringDType()),
        np.zeros(1, np.dtype("i4", metadata={"a": 1})),
        np.str_("a\0"),
    ],
    ids=type_of,
)
def test_arrays_that_bytes_do_not_tell_are_not_taken_as_bytes(value: object) -> None:
    """Objects, subclasses and metadata are left to pickle."""
    with pytest.raises(UnstorableError):
        CODECS.choose(value, data_only=True)


@pytest.mark.parametrize(
    "dtype", ["O", "|O8", "i4,O", "T", "O,O", "(2,)O", "f8[__import__]", {"base": "O", "shape": [1]}]
)
def test_an_array_entry_that_claims_to_hold_objects_is_damaged(dtype: object) -> None:
    """Bytes are never read as pointers."""
    import msgspec

    head = msgspec.msgpack.encode([dtype, [1], "C", False])
    with pytest.raises(DamagedError):
        CODECS.decode("numpy", private([head, b"\1" * 8]), data_only=True)


def test_an_array_costs_no_copy_to_encode_and_none_to_decode() -> None:
    """Encoding 10 MB looks at the array's memory, decoding adopts the segment's."""
    array = np.arange(1_250_000, dtype="f8")
    tracemalloc.start()
    try:
        name, segments = CODECS.choose(array, data_only=False)
        encoding = tracemalloc.get_traced_memory()[1]
        mine = private(segments)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        back: Any = CODECS.decode(name, mine, data_only=False)
        decoding = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert encoding < 100_000
    assert decoding < 100_000
    assert same(back, array)


def test_pickled_arrays_travel_out_of_band() -> None:
    """An array within a container is a segment of its own, a small one is not."""
    value = [np.zeros(100_000), np.zeros(3)]
    name, segments = CODECS.choose(value, data_only=False)
    assert name == "pickle"
    assert [memoryview(each).nbytes for each in segments[1:]] == [800_000]
    assert len(segments[0]) < 2000


def test_an_unaligned_segment_decodes_to_an_aligned_array() -> None:
    """A payload that starts at an odd address costs a copy, nothing else."""
    name, segments = CODECS.choose(np.arange(5.0), data_only=True)
    shifted = [memoryview(bytearray(b"x" + bytes(each)))[1:] for each in segments]
    back: Any = CODECS.decode(name, shifted, data_only=True)
    assert back.flags.aligned
    assert same(back, np.arange(5.0))
