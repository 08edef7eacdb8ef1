"""Stand-ins of what polars holds: types with their parameters, items by their own bytes, and queries by their plan.

The bytes behind a missing value and chunks do not count. NumPy and Arrow are not needed.
"""

from __future__ import annotations

import math
import pickletools
import re
import sys
import types
from array import array
from contextlib import suppress
from itertools import pairwise
from typing import Any

from rave_core.fingerprint.arrays import numpy_or_none
from rave_core.fingerprint.parts import Parts

_TYPECODES = {
    "Int8": "b", "Int16": "h", "Int32": "i", "Int64": "q", "UInt8": "B", "UInt16": "H", "UInt32": "I", "UInt64": "Q",
    "Float32": "f", "Float64": "d",
}  # fmt: skip


def frame_parts(frame: Any) -> Parts:
    """Height, and the columns."""
    yield ".height", frame.height
    for column in frame.get_columns():
        yield (column.name,), column


def series_parts(series: Any) -> Parts:
    """Name, dtype, length, and content."""
    yield ".name", series.name
    yield ".dtype", series.dtype
    yield ".len()", len(series)
    yield from _items(series)


def dtype_parts(dtype: Any) -> Parts:
    """A polars dtype: its name and its parameters, even if only the class is given."""
    yield "", _name(dtype)
    yield "", isinstance(dtype, type)
    if not isinstance(dtype, type):
        state = vars(dtype) if hasattr(dtype, "__dict__") else {}
        for name in sorted(state):
            yield f".{name}", list(state[name]) if name == "categories" and _name(dtype) == "Enum" else state[name]


def category_parts(categories: Any) -> Parts:
    """The categories that a dtype names: name, namespace and the width of their numbers."""
    yield "", (categories.name(), categories.namespace())
    yield ".physical()", categories.physical()


def plan_parts(query: Any) -> Parts:
    """What a lazy frame is going to do; for files, the names and not the content."""
    plan = query.serialize()
    yield ".serialize()", plan
    yield from _functions_in(plan)


def expression_parts(expression: Any) -> Parts:
    """What an expression does."""
    plan = expression.meta.serialize()
    yield ".meta.serialize()", plan
    yield from _functions_in(plan)


def _functions_in(plan: bytes) -> Parts:
    """The functions and classes that a plan only names: it holds pickles of those that are not from polars."""
    for start in re.finditer(rb"\x80[\x03-\x05]", plan):
        texts: list[str] = []
        with suppress(Exception):  # no pickle begins there
            for opcode, value, _ in pickletools.genops(plan[start.start() :]):
                texts += [str(value)] if "UNICODE" in opcode.name else []
        for module, name in pairwise(texts):
            found: Any = sys.modules.get(module) if not module.startswith("polars.") else None
            for each in name.split(".") if found is not None else ():
                found = vars(found).get(each) if isinstance(found, (type, types.ModuleType)) else None
            if isinstance(found, (type, types.FunctionType)):
                yield ".map", found


def _name(dtype: Any) -> str:
    return str((dtype if isinstance(dtype, type) else type(dtype)).__name__)


def _items(series: Any) -> Parts:
    """The content of a series whose dtype the reader already knows."""
    if series.null_count():
        yield "", _numbers(series.is_null().cast(_polars().UInt8))
        series = series.drop_nulls()
    else:
        yield "", None
    if len(series):
        yield from _present(series, _name(series.dtype))


def _present(series: Any, name: str) -> Parts:
    """The content of a series without missing values."""
    polars = _polars()
    if name == "Struct":
        for field in series.dtype.fields:
            yield (field.name,), series.struct.field(field.name)
    elif name == "List":
        lengths = series.list.len()
        yield "", _numbers(lengths.cast(polars.Int64))
        yield "[]", series.filter(lengths > 0).explode()
    elif name == "Array":
        yield "[]", series.explode() if series.dtype.size else None
    elif name in ("String", "Categorical", "Enum"):
        yield from _texts(series.cast(polars.String))
    elif name in ("Object", "Binary"):
        yield "", series.to_list()
    elif name != "Null":
        yield "", _plain(series, name)


def _texts(series: Any) -> Parts:
    yield "", _numbers(series.str.len_bytes().cast(_polars().Int64))
    yield "", memoryview(series.str.join("").item().encode())


def _plain(series: Any, name: str) -> Any:
    polars = _polars()
    if name == "Boolean":
        return _numbers(series.cast(polars.UInt8))
    if name == "Float16":
        return _numbers(series.cast(polars.Float32))
    physical = series.to_physical()
    if _name(physical.dtype) in _TYPECODES:
        return _numbers(physical)
    return physical.cast(polars.String).to_list()  # 128 bits, of a Decimal too


def _numbers(series: Any) -> memoryview:
    """Numbers as consecutive bytes; all NaN are the same."""
    name = _name(series.dtype)
    if name.startswith("Float"):
        series = series.fill_nan(math.nan)
    if numpy_or_none() is None:
        return memoryview(array(_TYPECODES[name], series.to_list())).cast("B")
    return memoryview(numpy_or_none().ascontiguousarray(series.to_numpy()).view("u1"))


def _polars() -> Any:
    return sys.modules["polars"]
