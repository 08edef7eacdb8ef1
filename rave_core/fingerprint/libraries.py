"""The parts of classes of NumPy, pandas, polars, Arrow and xarray. Loaded for the first such value."""

from __future__ import annotations

import sys
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from rave_core.fingerprint import arrays, arrow_tables, pandas_frames, polars_frames, xarray_sets
from rave_core.fingerprint.parts import Parts

_PARTS: dict[str, dict[str, Callable[[Any], Parts]]] = {
    "numpy": {
        "ma.masked": pandas_frames.no_parts,
        "ma.MaskedArray": arrays.masked_parts,
        "ndarray": arrays.array_parts,
        "memmap": arrays.array_parts,
        "generic": arrays.scalar_parts,
        "str_": arrays.scalar_parts,
        "bytes_": arrays.scalar_parts,
        "dtype": arrays.dtype_parts,
        "ufunc": arrays.ufunc_parts,
        "busdaycalendar": arrays.calendar_parts,
        "random.Generator": arrays.generator_parts,
        "random.RandomState": arrays.random_state_parts,
    },
    "pandas": {
        "DataFrame": pandas_frames.frame_parts,
        "Series": pandas_frames.series_parts,
        "api.extensions.ExtensionArray": pandas_frames.extension_parts,
        "api.extensions.ExtensionDtype": pandas_frames.dtype_parts,
        "tseries.offsets.BaseOffset": pandas_frames.offset_parts,
        "Timestamp": pandas_frames.moment_parts,
        "Timedelta": pandas_frames.span_parts,
        "Period": pandas_frames.period_parts,
        "Interval": pandas_frames.interval_parts,
        "NaT": pandas_frames.no_parts,
        "NA": pandas_frames.no_parts,
        "Index": pandas_frames.index_parts,
    },
    "polars": {
        "DataFrame": polars_frames.frame_parts,
        "Series": polars_frames.series_parts,
        "DataType": polars_frames.dtype_parts,
        "datatypes.DataTypeClass": polars_frames.dtype_parts,
        "Categories": polars_frames.category_parts,
        "LazyFrame": polars_frames.plan_parts,
        "Expr": polars_frames.expression_parts,
    },
    "pyarrow": {
        "Table": arrow_tables.table_parts,
        "RecordBatch": arrow_tables.table_parts,
        "Schema": arrow_tables.schema_parts,
        "Field": arrow_tables.field_parts,
        "DataType": arrow_tables.type_parts,
        "Array": arrow_tables.array_parts,
        "ChunkedArray": arrow_tables.array_parts,
        "Scalar": arrow_tables.scalar_parts,
    },
    "xarray": {
        "Variable": xarray_sets.variable_parts,
        "IndexVariable": xarray_sets.variable_parts,
        "DataArray": xarray_sets.array_parts,
        "Dataset": xarray_sets.dataset_parts,
    },
}

_SAME = {"numpy.memmap": "numpy.ndarray", "xarray.IndexVariable": "xarray.Variable"}
"""A value of the first counts as one of the second: the location of an array is not part of its value."""

_FAMILIES: dict[str, tuple[str, ...]] = {
    "numpy": ("dtype",),
    "pandas": ("Index", "api.extensions.ExtensionArray", "api.extensions.ExtensionDtype", "tseries.offsets.BaseOffset"),
    "polars": ("DataType",),
    "pyarrow": ("DataType", "Array", "Scalar"),
}
"""Classes whose subclasses in the library are one kind, distinguished by content or by a name among the parts."""


def parts_of(cls: type) -> tuple[str, Callable[[Any], Parts]] | None:
    """The tag of a library's class, its public name, and the function that gives its parts; or ``None``."""
    root = cls.__module__.partition(".")[0]
    library = sys.modules[root]
    for name, function in _PARTS[root].items():
        found = _public(library, name)
        if found is cls or (type(found) is cls and not isinstance(found, type)):
            tag = f"{root}.{name}"
            return _SAME.get(tag, tag), function
    return _family(cls, library, root)


def _family(cls: type, library: Any, root: str) -> tuple[str, Callable[[Any], Parts]] | None:
    for name in _FAMILIES.get(root, ()):
        found = _public(library, name)
        if found is not None and issubclass(cls, found):
            return f"{root}.{name}", _PARTS[root][name]
    return None


def _public(library: Any, name: str) -> Any:
    try:
        return attrgetter(name)(library)
    except AttributeError:
        return None
