"""The codec of numpy arrays and scalars: a description, then plain memory, never pickle."""

from __future__ import annotations

import math
import re
import sys
from typing import Any

import msgspec

from rave_core.model import Bytes

_MOST_EMPTY = 1 << 16
"""As many texts without width are made of no bytes at all."""
_SIMPLE_DTYPE = re.compile(r"[<>|=]?[biufcmMSUV]\d*(\[\d*[A-Za-z]+(/\d+)?\])?")


class NumpyCodec:
    """Numpy arrays and scalars of any dtype without Python objects: a description, then the memory.

    Fortran order is kept, other strides become C order. What was decoded is writable, and adopts the
    segment's memory where that is writable and aligned. Dtypes are kept up to ``==``, so C's synonyms
    (``longlong``) come back as the usual one; a dtype with metadata is refused, as are array subclasses.
    """

    name = "numpy"
    data_only = True

    def encode(self, value: object) -> list[Bytes] | None:
        """The description and the memory of ``value``, not copied when contiguous; ``None`` for another type."""
        np: Any = sys.modules.get("numpy")
        if type(value).__module__ != "numpy" or np is None:
            return None
        if type(value) is np.ndarray:
            return _encode_array(value, scalar=False)
        if not isinstance(value, np.generic) or isinstance(value, np.object_):
            return None
        array = np.asarray(value)
        # numpy drops trailing NULs of strings, and C's synonyms change the type of a scalar.
        exact = array.dtype.kind not in "SU" or array[()] == value
        segments = _encode_array(array, scalar=True) if exact else None
        return segments if segments and type(self.decode([memoryview(s) for s in segments])) is type(value) else None

    def decode(self, segments: list[memoryview]) -> object:
        """The array, writable, or the scalar."""
        import numpy as np

        description, shape, order, scalar = msgspec.msgpack.decode(segments[0])
        dtype: Any = _build_dtype(description)
        memory: Any = segments[1]
        if memory.nbytes != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{memory.nbytes} bytes for an array of shape {shape} and dtype {dtype}")
        if not memory.nbytes:
            if _is_widened(dtype, math.prod(shape)) and math.prod(shape) > _MOST_EMPTY:
                raise ValueError(f"no bytes for an array of shape {shape} and dtype {dtype}")
            array = np.zeros(shape, dtype, order)  # never np.empty, which shows memory that nobody filled
        else:
            array = np.ndarray(shape, dtype, memory, order=order)
            if memory.readonly or not array.flags.aligned:
                # Byte by byte: a copy by numpy fills no gaps between fields, and would show memory left over there.
                array = np.ndarray(shape, dtype, bytearray(memory), order=order)
        return array[()] if scalar else array


def _encode_array(array: Any, *, scalar: bool) -> list[Bytes] | None:
    if array.ndim and _is_widened(array.dtype, array.size):
        return None
    try:
        description = _describe_dtype(array.dtype)
        if _build_dtype(description) != array.dtype:
            return None
    except (TypeError, ValueError):
        return None
    fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    head = msgspec.msgpack.encode([description, array.shape, "F" if fortran else "C", scalar])
    if not array.nbytes:
        return [head, b""]
    # Not every dtype has a buffer of its own (datetime64), bytes have.
    np: Any = sys.modules["numpy"]
    turned = array.T if fortran else array
    if _has_gaps(array.dtype):  # nobody filled them: what is there belongs into no store
        whole = np.zeros(turned.shape, array.dtype)
        whole[...] = turned
        turned = whole
    return [head, np.ascontiguousarray(turned).reshape(-1).view("u1").data]


def _has_gaps(dtype: Any) -> bool:
    """Whether some bytes of each item belong to no field."""
    if dtype.subdtype is not None:
        return _has_gaps(dtype.subdtype[0])
    if dtype.names is None:
        return False
    end = 0
    for inner, offset, *_ in sorted(dtype.fields.values(), key=lambda field: field[1]):
        if offset > end or _has_gaps(inner):
            return True
        end = max(end, offset + inner.itemsize)
    return bool(end < dtype.itemsize)


def _is_widened(dtype: Any, size: int) -> bool:
    """Whether numpy would give texts without width a width of 1, and so more memory than their bytes fill."""
    return dtype.kind in "SU" and not dtype.itemsize and size > 0


def _describe_dtype(dtype: Any) -> Any:
    """``dtype`` as nested builtins.

    Raises:
        TypeError: it holds Python objects, metadata, or a type that its text does not name.
    """
    if dtype.hasobject or dtype.metadata is not None or dtype.type.__module__ != "numpy":
        raise TypeError(f"dtype {dtype} can't be stored as bytes")
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return {"base": _describe_dtype(base), "shape": shape}
    if dtype.names is None:
        return dtype.str
    if dtype.type.__name__ != "void":
        raise TypeError(f"dtype {dtype} is a record's")
    fields = [dtype.fields[name] for name in dtype.names]
    return {
        "names": dtype.names,
        "formats": [_describe_dtype(field[0]) for field in fields],
        "offsets": [field[1] for field in fields],
        "titles": [field[2] if len(field) > 2 else None for field in fields],
        "itemsize": dtype.itemsize,
        "aligned": dtype.isalignedstruct,
    }


def _build_dtype(description: Any) -> Any:
    import numpy as np

    if isinstance(description, str):
        # Only what describes plain memory: numpy's own parser also knows objects and lists of fields.
        if not _SIMPLE_DTYPE.fullmatch(description):
            raise ValueError(f"{description!r} describes no plain dtype")
        return np.dtype(description)
    if "base" in description:
        return np.dtype((_build_dtype(description["base"]), tuple(description["shape"])))
    fields: Any = dict(description)
    aligned = fields.pop("aligned")
    fields["formats"] = [_build_dtype(each) for each in fields["formats"]]
    return np.dtype(fields, align=aligned)
