"""Stand-ins of what pandas holds. A column of text counts the same in every storage."""

from __future__ import annotations

from array import array
from typing import Any

from rave_core.fingerprint.arrays import items_parts, numpy_or_none
from rave_core.fingerprint.arrow_tables import large_octets
from rave_core.fingerprint.parts import Parts
from rave_core.fingerprint.standard import date_fields, wall_fields


def frame_parts(frame: Any) -> Parts:
    """What is noted about it, columns, index, and the content of each column."""
    yield from _notes(frame)
    yield ".columns", frame.columns
    yield ".index", frame.index
    for place, name in enumerate(frame.columns):
        yield (name,), frame.iloc[:, place].array


def _notes(data: Any) -> Parts:
    """The ``attrs`` and flags of a frame or series, which most have none of."""
    if data.attrs:
        yield ".attrs", data.attrs
    if not data.flags.allows_duplicate_labels:
        yield ".flags", False


def series_parts(series: Any) -> Parts:
    """What is noted about it, name, index and content."""
    yield from _notes(series)
    yield ".name", series.name
    yield ".index", series.index
    yield "", series.array


def index_parts(index: Any) -> Parts:
    """Names, frequency and content, level by level; a range is the index of its numbers."""
    yield ".names", list(index.names)
    if (frequency := getattr(index, "freq", None)) is not None:
        yield ".freq", frequency
    for level in range(index.nlevels):
        yield (level,), index.get_level_values(level).array


def extension_parts(values: Any) -> Parts:
    """A pandas array: its dtype, which values are missing, and the others."""
    yield ".dtype", values.dtype
    own = type(values).__module__.partition(".")[0] == "pandas"
    name = type(values).__name__ if own else ""
    if name in ("NumpyExtensionArray", "PandasArray"):
        yield from items_parts(values.to_numpy())
    elif name in ("DatetimeArray", "TimedeltaArray", "PeriodArray"):
        yield "", values.asi8
    elif name == "Categorical":
        yield ".codes", numpy_or_none().asarray(values.codes, "i8")
    elif name in ("IntegerArray", "FloatingArray", "BooleanArray"):
        yield from _nullable(values)
    elif name.startswith(("ArrowString", "String")):
        yield from _texts(values)
    elif name == "ArrowExtensionArray":
        import pyarrow

        yield "", pyarrow.array(values)  # an Array, or a ChunkedArray
    else:
        yield "", list(values)


def _nullable(values: Any) -> Parts:
    missing = numpy_or_none().asarray(values.isna())
    yield ".isna", missing
    yield "", values.to_numpy(dtype=values.dtype.numpy_dtype, na_value=values.dtype.numpy_dtype.type(0))


def _texts(values: Any) -> Parts:
    """Which are missing, the lengths in characters, and all characters; the same from Arrow and from objects."""
    numpy = numpy_or_none()
    yield ".isna", numpy.asarray(values.isna())
    if type(values).__name__.startswith("ArrowString"):
        yield from _arrow_texts(numpy, values)
        return
    texts = values[~values.isna()].to_numpy().tolist()
    yield "", memoryview(array("q", map(len, texts))).cast("B")
    yield "", memoryview("".join(texts).encode("utf-8", "surrogatepass"))


def _arrow_texts(numpy: Any, values: Any) -> Parts:
    import pyarrow
    import pyarrow.compute as compute

    column = pyarrow.chunked_array(pyarrow.array(values)).cast("large_string").drop_null()
    yield "", memoryview(numpy.ascontiguousarray(compute.utf8_length(column).to_numpy(), "i8").view("u1"))
    chunks = column.chunks or [pyarrow.array([], "large_string")]
    yield from list(large_octets(chunks[0] if len(chunks) == 1 else pyarrow.concat_arrays(chunks)))[1:]


def dtype_parts(dtype: Any) -> Parts:
    """A pandas dtype: its name, and what distinguishes it from others of that name. Text storage does not count."""
    yield "", (type(dtype).__module__.partition(".")[0], type(dtype).__name__, getattr(dtype, "kind", None))
    for name in dtype._metadata:
        if name == "storage":
            continue
        yield f".{name}", getattr(dtype, name)


def offset_parts(offset: Any) -> Parts:
    """A frequency: the count and unit, with its holidays and other parameters."""
    yield "", (type(offset).__name__, offset.n, offset.normalize)
    for name in sorted(offset._attributes):
        if name not in ("n", "normalize"):
            yield f".{name}", getattr(offset, name, None)


def moment_parts(moment: Any) -> Parts:
    """A Timestamp: wall clock to the nanosecond, fold and zone; its unit does not count."""
    yield "", (*date_fields(moment), *wall_fields(moment), moment.nanosecond)
    yield ".tzinfo", moment.tzinfo


def span_parts(span: Any) -> Parts:
    """A Timedelta, to the nanosecond; its unit does not count."""
    yield "", (span.days, span.seconds, span.microseconds, span.nanoseconds)


def period_parts(period: Any) -> Parts:
    """A Period: its frequency and number."""
    yield ".freq", period.freq
    yield "", period.ordinal


def interval_parts(interval: Any) -> Parts:
    """An Interval: its ends, and which of them belong to it."""
    yield ".left", interval.left
    yield ".right", interval.right
    yield ".closed", interval.closed


def no_parts(_: Any) -> Parts:
    """Nothing: this type has only one value."""
    yield from ()
