"""Codecs of tables, through Arrow IPC, never pickle.

A library is imported only when one of its values occurs, or an entry that holds one is read. A codec
takes exact types only: a subclass may carry more than its bytes show.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from rave_core.model import Bytes


def is_exactly(value: object, module: str, name: str) -> bool:
    """Whether the type of ``value`` is the one that ``module`` exports as ``name``; imports nothing."""
    kind = type(value)
    return kind.__name__ == name and kind is getattr(sys.modules.get(module), name, None)


class ArrowCodec:
    """``pyarrow.Table`` or ``RecordBatch`` as one Arrow IPC stream, which any language reads.

    Types, nulls, field and schema metadata are kept. What is decoded is validated in full, since bytes
    with false offsets would otherwise be read out of bounds; it adopts an aligned segment's memory.
    """

    data_only = True

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self._kind = kind

    def encode(self, value: object) -> list[Bytes] | None:
        """The stream; ``None`` for another type, or if an extension type would come back as its storage."""
        if not is_exactly(value, "pyarrow", self._kind):
            return None
        table: Any = value
        stream = _write_arrow(table)
        back = _read_arrow(stream)
        same = back.num_rows == table.num_rows and back.schema.equals(table.schema, check_metadata=True)
        return [memoryview(stream)] if same else None

    def decode(self, segments: list[memoryview]) -> object:
        """The table or batch."""
        table = _read_arrow(_arrow_buffer(segments[0]))
        table.validate(full=True)
        if self._kind == "Table":
            return table
        (batch,) = table.to_batches() or [_empty_batch(table.schema)]
        return batch


def _write_arrow(table: Any) -> Any:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write(table)
    return sink.getvalue()


def _read_arrow(buffer: Any) -> Any:
    import pyarrow as pa

    with pa.ipc.open_stream(buffer) as reader:
        return reader.read_all()


def _arrow_buffer(segment: memoryview) -> Any:
    import pyarrow as pa

    buffer = pa.py_buffer(segment)
    return buffer if buffer.address % 8 == 0 else pa.py_buffer(bytes(segment))


def _empty_batch(schema: Any) -> Any:
    import pyarrow as pa

    return pa.RecordBatch.from_pylist([], schema=schema)


class PolarsCodec:
    """``polars.DataFrame`` or ``Series`` as one Arrow IPC stream in polars' own dialect."""

    data_only = True

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self._kind = kind

    def encode(self, value: object) -> list[Bytes] | None:
        """The stream; ``None`` for another type, or if a column (of objects, say) does not come back unchanged."""
        if not is_exactly(value, "polars", self._kind):
            return None
        frame: Any = value.to_frame() if self._kind == "Series" else value  # type: ignore[attr-defined]  # its type is known only at run time
        try:
            empty = _read_polars(memoryview(_write_polars(frame.clear())))
            return [_write_polars(frame)] if empty.schema == frame.schema and _has_rows(frame) else None
        except Exception:  # noqa: BLE001  # what polars can't write or read back, this codec can't keep
            return None

    def vetted(self, segments: list[memoryview]) -> list[memoryview]:
        """The stream, fully read and checked by Arrow's own library, then rewritten.

        Polars trusts what a stream says about itself, and a false stream crashes the process.
        """
        table = _read_arrow(_arrow_buffer(segments[0]))
        table.validate(full=True)
        return [memoryview(_write_arrow(table))]

    def decode(self, segments: list[memoryview]) -> object:
        """The frame or series, with memory of its own."""
        frame = _read_polars(segments[0])
        return frame.to_series() if self._kind == "Series" else frame


@contextlib.contextmanager
def _panics_are_errors() -> Iterator[None]:
    # A panic in polars is not an Exception: uncaught, it would end a thread that only reads a cache.
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"polars panicked: {error}") from error


def _read_polars(segment: memoryview) -> Any:
    import polars as pl

    with _panics_are_errors():
        return pl.read_ipc_stream(bytes(segment))


def _write_polars(frame: Any) -> Bytes:
    import io

    import polars as pl

    if any(_holds_objects(dtype) for dtype in frame.dtypes):
        raise TypeError("columns of Python objects can't be stored as Arrow")
    sink = io.BytesIO()
    with _panics_are_errors():
        frame.write_ipc_stream(sink, compat_level=pl.CompatLevel.newest())
    return sink.getbuffer()


def _holds_objects(dtype: Any) -> bool:
    if dtype.is_nested():
        inner = [field.dtype for field in dtype.fields] if hasattr(dtype, "fields") else [dtype.inner]
        return any(_holds_objects(each) for each in inner)
    return bool(dtype.is_object())


def _has_rows(frame: Any) -> bool:
    # A frame without columns may still have a height, which its stream does not hold.
    return bool(frame.width or not frame.height)


class PandasCodec:
    """``pandas.DataFrame`` or ``Series`` through Arrow, if decoding and comparing shows that nothing has changed.

    Values, dtypes, index, labels, categories, time zones, ``attrs`` of plain scalars are compared by value and by type.
    Costs a decode per encode: where pickling is allowed, pickle is asked first.
    """

    data_only = True

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self._kind = kind

    def encode(self, value: object) -> list[Bytes] | None:
        """The name of a series and the stream; ``None`` for another type or if the round trip is not exact."""
        if not is_exactly(value, "pandas", self._kind):
            return None
        frame: Any = value
        try:
            segments = self._write(frame)
            same = _same_frame(frame, self.decode([memoryview(each) for each in segments]))
        except Exception:  # noqa: BLE001  # what Arrow or the comparison can't do, this codec can't keep
            return None
        return segments if same else None

    def decode(self, segments: list[memoryview]) -> object:
        """The frame or series, writable."""
        frame = self._read(segments[1])
        if self._kind == "DataFrame":
            return frame
        series = frame.iloc[:, 0]
        series.name = msgspec.msgpack.decode(segments[0])
        series.attrs = dict(frame.attrs)
        return series

    def _write(self, frame: Any) -> list[Bytes]:
        import pyarrow as pa

        attrs, name = frame.attrs, None
        if self._kind == "Series":
            name = frame.name
            frame = frame.to_frame("value")
            frame.attrs = dict(attrs)
        if not all(type(label) is str and _is_scalar(each) for label, each in attrs.items()) or not _is_scalar(name):
            raise TypeError("attrs and names that Arrow's metadata does not keep")
        return [msgspec.msgpack.encode(name), memoryview(_write_arrow(pa.Table.from_pandas(frame)))]

    @staticmethod
    def _read(segment: memoryview) -> Any:
        table = _read_arrow(_arrow_buffer(segment))
        table.validate(full=True)
        # Arrow lends its memory read-only where it can; the copy is the caller's own.
        return table.to_pandas().copy()


def _is_scalar(value: object) -> bool:
    return value is None or type(value) in (str, bool, int, float)


def _same_frame(one: Any, other: Any) -> bool:
    if type(one) is not type(other) or one.shape != other.shape:
        return False
    same_labels = _same_index(one.index, other.index) and _same_mapping(one.attrs, other.attrs)
    if not same_labels or one.flags != other.flags:
        return False
    if one.ndim == 1:
        return type(one.name) is type(other.name) and one.name == other.name and _same_values(one, other)
    columns = range(one.shape[1])
    return _same_index(one.columns, other.columns) and all(
        _same_values(one.iloc[:, at], other.iloc[:, at]) for at in columns
    )


def _same_mapping(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return [(k, type(v), v) for k, v in one.items()] == [(k, type(v), v) for k, v in other.items()]


def _same_index(one: Any, other: Any) -> bool:
    if type(one) is not type(other) or not one.identical(other) or repr(one.names) != repr(other.names):
        return False
    if getattr(one, "freq", None) != getattr(other, "freq", None):
        return False
    if one.nlevels > 1:
        return all(map(_same_index, one.levels, other.levels)) and all(map(_equal, one.codes, other.codes))
    return _same_values(one, other)


def _equal(one: Any, other: Any) -> bool:
    return bool((one == other).all())


def _same_values(one: Any, other: Any) -> bool:
    if not _same_dtype(one.dtype, other.dtype) or not one.equals(other):
        return False
    if one.dtype != object:
        return True
    return all(type(a) is type(b) and (a == b or a != a) for a, b in zip(one, other, strict=True))


def _same_dtype(one: Any, other: Any) -> bool:
    if type(one) is not type(other) or one != other or repr(one) != repr(other):
        return False
    zones = getattr(one, "tz", None), getattr(other, "tz", None)
    if type(zones[0]) is not type(zones[1]):
        return False
    categories = getattr(one, "categories", None)
    return categories is None or _same_index(categories, other.categories)


def table_codecs() -> tuple[Any, ...]:
    """The codecs of tables that are as exact as pickle, in order of choice."""
    arrow = (ArrowCodec("arrow", "Table"), ArrowCodec("arrow.batch", "RecordBatch"))
    return (*arrow, PolarsCodec("polars", "DataFrame"), PolarsCodec("polars.series", "Series"))


def pandas_codecs() -> tuple[Any, ...]:
    """The codecs for frames and series where pickle is not allowed."""
    return (PandasCodec("pandas", "DataFrame"), PandasCodec("pandas.series", "Series"))
