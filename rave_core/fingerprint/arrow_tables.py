"""Stand-ins of what Arrow holds: types with all that is in them, and items by their own bytes, however deep.

The bytes behind a missing value, chunks, offsets and unused children of unions do not count. The metadata of a schema
counts, because a conversion to pandas reads the index from it. So does the order of a dictionary, which orders
categories. NumPy is not needed.
"""

from __future__ import annotations

import math
from typing import Any

from rave_core.fingerprint.parts import Parts


def table_parts(table: Any) -> Parts:
    """Schema, number of rows, and columns, independent of their chunks."""
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


def type_parts(kind: Any) -> Parts:
    """An Arrow type, with the fields and types inside it; an extension type with its parameters."""
    yield "", (str(kind), kind.num_fields)
    if hasattr(kind, "storage_type"):
        yield "", kind.extension_name
        yield ".storage_type", kind.storage_type
        yield "", _parameters(kind)
    elif hasattr(kind, "index_type"):
        yield "", kind.ordered
        yield ".index_type", kind.index_type
        yield ".value_type", kind.value_type
    else:
        for place in range(kind.num_fields):
            yield (place,), kind.field(place)


def _parameters(kind: Any) -> bytes:
    import pyarrow

    if hasattr(kind, "__arrow_ext_serialize__"):
        return bytes(kind.__arrow_ext_serialize__())
    return bytes(pyarrow.schema([("", kind)]).serialize())  # a type that Arrow defines, which does not show them


def array_parts(array: Any) -> Parts:
    """Type, length, which values are missing, and the others."""
    yield ".type", array.type
    yield ".length", len(array)
    if len(array):
        yield from _items(_whole(array))


def scalar_parts(scalar: Any) -> Parts:
    """A scalar, as the array of one item."""
    import pyarrow

    yield "", pyarrow.repeat(scalar, 1)


def _whole(array: Any) -> Any:
    """An array in one piece."""
    import pyarrow

    if not hasattr(array, "combine_chunks") or not hasattr(array, "chunks"):
        return array
    if pyarrow.types.is_dictionary(array.type):
        array = array.unify_dictionaries()
    chunks = array.chunks
    return chunks[0] if len(chunks) == 1 else pyarrow.concat_arrays(chunks)


def _items(array: Any) -> Parts:
    """The content of an array whose type the reader already knows."""
    import pyarrow

    types, kind = pyarrow.types, array.type
    if hasattr(kind, "storage_type"):
        yield from _items(array.storage)
        return
    if types.is_run_end_encoded(kind):
        import pyarrow.compute as compute

        yield "", compute.run_end_decode(array)
        return
    if types.is_union(kind):
        yield from _union(array)
        return
    yield "", _octets(array.is_valid().cast("uint8"), 1) if array.null_count else None
    if types.is_struct(kind):
        for place, child in enumerate(array.flatten()):  # where the whole is missing, each child is
            yield (kind.field(place).name,), child
    elif hasattr(kind, "value_field"):
        yield from _lists(array)
    else:
        yield from _present(types, _without_missing(array))


def _without_missing(array: Any) -> Any:
    import pyarrow.compute as compute

    return _taken(array, compute.indices_nonzero(array.is_valid())) if array.null_count else array


def _taken(array: Any, places: Any) -> Any:
    """The items at ``places``, in their order."""
    import pyarrow

    try:
        return array.take(places)
    except pyarrow.ArrowNotImplementedError:  # views of strings, for one
        items = [array.slice(place, 1) for place in places.to_pylist()]
        return pyarrow.concat_arrays(items) if items else array.slice(0, 0)


def _present(types: Any, array: Any) -> Parts:
    """The content of an array without missing values."""
    kind = array.type
    if types.is_null(kind) or not len(array):
        return
    if types.is_dictionary(kind):
        yield ".indices", array.indices
        yield ".dictionary", array.dictionary
    elif types.is_map(kind):
        yield from _map(array)
    else:
        yield from _plain(types, array)


def _lists(array: Any) -> Parts:
    import pyarrow.compute as compute

    yield "", _octets(compute.list_value_length(array).drop_null().cast("int64"), 8)
    yield "[]", array.flatten()


def _map(array: Any) -> Parts:
    import pyarrow.compute as compute

    ends = array.offsets
    start, length = ends[0].as_py(), ends[-1].as_py() - ends[0].as_py()
    yield "", _octets(compute.subtract(ends[1:], ends[:-1]).cast("int64"), 8)
    yield ".keys", array.keys.slice(start, length)
    yield ".items", array.items.slice(start, length)


def _union(array: Any) -> Parts:
    import pyarrow
    import pyarrow.compute as compute

    # A slice of a union gives the codes of the whole; concatenating it alone makes a fresh array.
    array = pyarrow.concat_arrays([array, array.slice(0, 0)])
    codes = array.type_codes
    yield "", _octets(codes, 1)
    for place, code in enumerate(array.type.type_codes):
        chosen, child = compute.equal(codes, pyarrow.scalar(code, "int8")), array.field(place)
        dense = array.type.mode == "dense"
        yield (place,), _taken(child, array.offsets.filter(chosen) if dense else compute.indices_nonzero(chosen))


def _plain(types: Any, array: Any) -> Parts:
    """Items of a fixed or a varying number of bytes, and bits."""
    kind = array.type
    if types.is_boolean(kind):
        yield "", _octets(array.cast("uint8"), 1)
    elif types.is_float16(kind):
        yield "", _octets(_one_nan(array.cast("float32")), 4)
    elif types.is_floating(kind):
        yield "", _octets(_one_nan(array), kind.bit_width // 8)
    elif (large := _large(types, kind)) is not None:
        yield from large_octets(array.cast(large))
    else:
        yield "", _octets(array, kind.bit_width // 8)


def _large(types: Any, kind: Any) -> str | None:
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "large_string"
    varying = types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)
    return "large_binary" if varying else None


def large_octets(array: Any) -> Parts:
    """A large string or binary array without missing values: the lengths in bytes, and all bytes."""
    import pyarrow
    import pyarrow.compute as compute

    _, places, data = array.buffers()
    ends = pyarrow.Array.from_buffers(pyarrow.int64(), len(array) + 1, [None, places], offset=array.offset)
    yield "", _octets(compute.subtract(ends[1:], ends[:-1]), 8)
    yield "", memoryview(data).cast("B")[ends[0].as_py() : ends[-1].as_py()] if data is not None else memoryview(b"")


def _one_nan(array: Any) -> Any:
    import pyarrow
    import pyarrow.compute as compute

    if not math.isnan(compute.sum(array).as_py()):
        return array
    return compute.if_else(compute.is_nan(array), pyarrow.scalar(math.nan, array.type), array)


def _octets(array: Any, width: int) -> memoryview:
    """The bytes of a fixed-width array without missing values, in place."""
    data, start = array.buffers()[1], array.offset * width
    return memoryview(data).cast("B")[start : start + len(array) * width] if data is not None else memoryview(b"")
