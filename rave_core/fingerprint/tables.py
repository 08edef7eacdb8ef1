"""Stand-ins of arrays and tables: NumPy, pandas, polars and Arrow.

Loaded when the first such value is met. What counts is dtype, shape, names and content; where a missing value
hides something, that something does not count, and neither do memory layout, chunks, ``attrs`` and ``flags``. The
metadata of an Arrow schema counts, since a conversion to pandas reads its index from there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

from rave_core.fingerprint.arrays import (
    array_parts,
    dtype_parts,
    items_parts,
    masked_parts,
    numpy_or_none,
    scalar_parts,
    ufunc_parts,
)
from rave_core.fingerprint.standard import clock_fields, date_fields

Parts = Iterator[tuple[Any, Any]]


# pandas ----------------------------------------------------------------------------------------------------


def frame_parts(frame: Any) -> Parts:
    """Columns, index, and the content of each column."""
    yield ".columns", frame.columns
    yield ".index", frame.index
    for place, name in enumerate(frame.columns):
        yield (name,), frame.iloc[:, place].array


def series_parts(series: Any) -> Parts:
    """Name, index and content."""
    yield ".name", series.name
    yield ".index", series.index
    yield "", series.array


def index_parts(index: Any) -> Parts:
    """Names, frequency and content, level by level; a range is the index of its numbers."""
    yield ".names", list(index.names)
    if (frequency := getattr(index, "freqstr", None)) is not None:
        yield ".freq", frequency
    for level in range(index.nlevels):
        yield (level,), index.get_level_values(level).array


def extension_parts(array: Any) -> Parts:
    """A pandas array: its dtype, which values are missing, and the others."""
    yield ".dtype", array.dtype
    numpy, name = numpy_or_none(), type(array).__name__
    if name in ("NumpyExtensionArray", "PandasArray"):
        yield from items_parts(array.to_numpy())
    elif name in ("DatetimeArray", "TimedeltaArray") or name == "PeriodArray":
        yield "", array.asi8
    elif name == "Categorical":
        yield ".codes", numpy.asarray(array.codes)
    elif name in ("IntegerArray", "FloatingArray", "BooleanArray"):
        yield from _nullable(numpy, array)
    elif name.startswith("ArrowString") or name == "ArrowExtensionArray":
        import pyarrow

        yield from arrow_parts(pyarrow.array(array))  # an Array, or a ChunkedArray
    else:
        yield "", list(array)


def _nullable(numpy: Any, array: Any) -> Parts:
    missing = numpy.asarray(array.isna())
    yield ".isna", missing
    yield "", array.to_numpy(dtype=array.dtype.numpy_dtype, na_value=array.dtype.numpy_dtype.type(0))


def extension_dtype_parts(dtype: Any) -> Parts:
    """The name of a pandas dtype, with the categories of a categorical one."""
    yield "", (type(dtype).__name__, str(dtype), getattr(dtype, "storage", None))
    yield ".na_value", dtype.na_value if hasattr(dtype, "storage") else None
    if hasattr(dtype, "categories"):
        yield ".categories", dtype.categories
        yield ".ordered", dtype.ordered
    if hasattr(dtype, "pyarrow_dtype"):
        yield ".pyarrow_dtype", dtype.pyarrow_dtype


def moment_parts(moment: Any) -> Parts:
    """A Timestamp: wall clock to the nanosecond, fold and zone; its unit does not count."""
    yield "", (*date_fields(moment), *clock_fields(moment, moment), moment.nanosecond)


def span_parts(span: Any) -> Parts:
    """A Timedelta, to the nanosecond; its unit does not count."""
    yield "", (span.days, span.seconds, span.microseconds, span.nanoseconds)


def period_parts(period: Any) -> Parts:
    """A Period: its frequency and number."""
    yield "", (period.freqstr, period.ordinal)


def interval_parts(interval: Any) -> Parts:
    """An Interval: its ends, and which of them belong to it."""
    yield ".left", interval.left
    yield ".right", interval.right
    yield ".closed", interval.closed


def no_parts(_: Any) -> Parts:
    """Nothing: there is one value of this type."""
    yield from ()


# polars ----------------------------------------------------------------------------------------------------


def polars_frame_parts(frame: Any) -> Parts:
    """Height, and the columns."""
    yield ".height", frame.height
    for column in frame.get_columns():
        yield (column.name,), column


def polars_series_parts(series: Any) -> Parts:
    """Name, dtype, length, and content."""
    yield ".name", series.name
    yield ".dtype", repr(series.dtype)
    yield ".len()", len(series)
    dtype, numpy = series.dtype, numpy_or_none()
    if str(dtype) == "Boolean":
        series = series.cast(sys.modules["polars"].UInt8)
        dtype = series.dtype
    flat = (dtype.is_numeric() and not dtype.is_decimal() and "128" not in str(dtype)) or dtype.is_temporal()
    if numpy is not None and flat and len(series):
        yield "", series.is_null().to_numpy()
        yield "", series.to_physical().fill_null(0).to_numpy()
    elif numpy is not None and str(dtype) == "String":
        yield "", series.is_null().to_numpy()
        yield "", series.fill_null("").str.len_bytes().to_numpy()
        yield "", series.fill_null("").str.join("").item()
    else:
        yield "", series.to_list()


def polars_dtype_parts(dtype: Any) -> Parts:
    """The name of a polars dtype, with its parameters."""
    yield "", repr(dtype)


# Arrow -----------------------------------------------------------------------------------------------------


def table_parts(table: Any) -> Parts:
    """Schema, number of rows, and columns, however they are cut into chunks."""
    yield ".schema", table.schema
    yield ".num_rows", table.num_rows
    for place, name in enumerate(table.schema.names):
        yield (name,), table.column(place)


def schema_parts(schema: Any) -> Parts:
    """The fields in order, and the metadata."""
    yield ".metadata", schema.metadata
    for field in schema:
        yield (field.name,), field


def field_parts(field: Any) -> Parts:
    """Name, type, whether it can be missing, and the metadata."""
    yield "", (field.name, field.nullable)
    yield ".type", field.type
    yield ".metadata", field.metadata


def arrow_type_parts(kind: Any) -> Parts:
    """An Arrow type, with the fields inside it; an extension type with its parameters."""
    yield "", (str(kind), kind.num_fields)
    if hasattr(kind, "storage_type"):
        yield "", kind.extension_name
        yield ".storage_type", kind.storage_type
        yield "", kind.__arrow_ext_serialize__() if hasattr(kind, "__arrow_ext_serialize__") else None
    elif not hasattr(kind, "index_type"):
        for place in range(kind.num_fields):
            yield (place,), kind.field(place)


def arrow_parts(array: Any) -> Parts:
    """Type, length, which values are missing, and the others."""
    yield ".type", array.type
    yield ".length", len(array)
    if hasattr(array, "combine_chunks"):
        import pyarrow

        chunks = array.chunks
        array = chunks[0] if len(chunks) == 1 else pyarrow.concat_arrays(chunks) if chunks else array
    yield from _arrow_items(array) if len(array) else ()


def _arrow_items(array: Any) -> Parts:
    import pyarrow

    types, kind, numpy = pyarrow.types, array.type, numpy_or_none()
    if hasattr(kind, "storage_type"):
        yield "", array.storage
    elif types.is_dictionary(kind):
        yield "", array.dictionary_decode()
    elif numpy is not None and (types.is_string(kind) or types.is_large_string(kind)):
        yield from _arrow_text(numpy, array.cast("large_string"))
    elif numpy is not None and (plain := _arrow_plain(types, kind)):
        yield "", _valid(array)
        array = array.view(plain) if plain != "uint8" else array.cast(plain)
        yield "", (array.fill_null(0) if array.null_count else array).to_numpy()
    else:
        yield "", array.to_pylist()


def _arrow_plain(types: Any, kind: Any) -> str | None:
    """The type of NumPy's that holds the values of an Arrow type, or ``None``."""
    if types.is_boolean(kind):
        return "uint8"
    if types.is_float32(kind) or types.is_float64(kind) or types.is_integer(kind):
        return str(kind)
    if types.is_date(kind) or types.is_time(kind) or types.is_timestamp(kind) or types.is_duration(kind):
        return f"int{kind.bit_width}"
    return None


def _valid(array: Any) -> Any:
    return array.is_valid().to_numpy(zero_copy_only=False) if array.null_count else None


def _arrow_text(numpy: Any, array: Any) -> Parts:
    yield "", _valid(array)
    array = array.fill_null("") if array.null_count else array
    _, places, data = array.buffers()
    ends = numpy.frombuffer(places, "i8")[array.offset : array.offset + len(array) + 1]
    yield "", numpy.diff(ends)
    yield "", memoryview(data)[ends[0] : ends[-1]] if data is not None else b""


def arrow_scalar_parts(scalar: Any) -> Parts:
    """A scalar, as the array of one item."""
    import pyarrow

    yield "", pyarrow.array([scalar.as_py()], type=scalar.type)


_PARTS: dict[str, dict[str, Callable[[Any], Parts]]] = {
    "numpy": {
        "ma.masked": no_parts,
        "ma.MaskedArray": masked_parts,
        "ndarray": array_parts,
        "memmap": array_parts,
        "generic": scalar_parts,
        "str_": scalar_parts,
        "bytes_": scalar_parts,
        "dtype": dtype_parts,
        "ufunc": ufunc_parts,
    },
    "pandas": {
        "DataFrame": frame_parts,
        "Series": series_parts,
        "api.extensions.ExtensionArray": extension_parts,
        "api.extensions.ExtensionDtype": extension_dtype_parts,
        "Timestamp": moment_parts,
        "Timedelta": span_parts,
        "Period": period_parts,
        "Interval": interval_parts,
        "NaT": no_parts,
        "NA": no_parts,
        "Index": index_parts,
    },
    "polars": {
        "DataFrame": polars_frame_parts,
        "Series": polars_series_parts,
        "DataType": polars_dtype_parts,
    },
    "pyarrow": {
        "Table": table_parts,
        "RecordBatch": table_parts,
        "Schema": schema_parts,
        "Field": field_parts,
        "DataType": arrow_type_parts,
        "Array": arrow_parts,
        "ChunkedArray": arrow_parts,
        "Scalar": arrow_scalar_parts,
    },
}


def parts_of(cls: type) -> tuple[str, Callable[[Any], Parts]] | None:
    """The tag of a library's class, its public name, and the function that gives its parts; or ``None``."""
    root = cls.__module__.partition(".")[0]
    for name, function in _PARTS[root].items():
        found: Any = sys.modules[root]
        for step in name.split("."):
            found = getattr(found, step, None)
        if found is cls or (type(found) is cls and not isinstance(found, type)):
            return f"{root}.{name}", function
    return _family(cls, sys.modules[root]) if root in _FAMILIES else None


_FAMILIES: dict[str, tuple[str, ...]] = {
    "numpy": ("dtype",),
    "pandas": ("Index", "api.extensions.ExtensionArray", "api.extensions.ExtensionDtype"),
    "polars": ("DataType",),
}
"""Classes whose subclasses in the library are one kind, told apart by content or by the name that is a part."""


def _family(cls: type, library: Any) -> tuple[str, Callable[[Any], Parts]] | None:
    root = library.__name__
    for name in _FAMILIES[root]:
        if issubclass(cls, attrgetter(name)(library)):
            return f"{root}.{name}", _PARTS[root][name]
    return None
