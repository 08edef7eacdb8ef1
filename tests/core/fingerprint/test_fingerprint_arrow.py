"""The encoding of Arrow's types and items: types are generated, with values of them."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rave_core.fingerprint.encoder import encode

FLAT: list[tuple[Any, list[object]]] = [
    (pa.null(), [None]),
    (pa.bool_(), [True, False]),
    (pa.int8(), [0, 1]),
    (pa.uint64(), [0, 2**64 - 1]),
    (pa.float16(), [0.0, 1.5, float("nan")]),
    (pa.float64(), [0.0, -0.0, float("nan"), float("inf")]),
    (pa.string(), ["", "a", "ab", "é"]),
    (pa.large_string(), ["", "a"]),
    (pa.string_view(), ["", "a", "a text that is longer than twelve bytes"]),
    (pa.binary(), [b"", b"a"]),
    (pa.binary_view(), [b"", b"a"]),
    (pa.binary(2), [b"ab", b"cd"]),
    (pa.decimal128(5, 2), [Decimal("1.00"), Decimal("-1.50")]),
    (pa.decimal256(40, 1), [Decimal("0.1"), Decimal(2)]),
    (pa.date32(), [dt.date(2020, 1, 1), dt.date(2020, 1, 2)]),
    (pa.date64(), [0, 86_400_000]),
    (pa.time32("ms"), [0, 1]),
    (pa.time64("ns"), [0, 1, 1001, 1002]),
    (pa.timestamp("ns"), [0, 1, 1001, 1002]),
    (pa.timestamp("us", "Europe/Berlin"), [0, 1]),
    (pa.duration("ns"), [0, 1001, 1002]),
    (pa.month_day_nano_interval(), [(1, 2, 3), (1, 2, 4)]),
    (pa.dictionary(pa.int8(), pa.string()), ["a", "b"]),
]


def nested(inner: st.SearchStrategy[tuple[Any, list[object]]]) -> st.SearchStrategy[tuple[Any, list[object]]]:
    """Lists, structs and maps of what ``inner`` gives, with a few values of each."""
    lists = st.sampled_from([pa.list_, pa.large_list, pa.list_view, pa.large_list_view, lambda kind: pa.list_(kind, 1)])
    rows = st.lists(st.integers(0, 7), min_size=1, max_size=1)

    def of_list(drawn: tuple[Any, tuple[Any, list[object]], list[int]]) -> tuple[Any, list[object]]:
        make, (kind, values), picks = drawn
        return make(kind), [[values[pick % len(values)] for pick in picks], [values[0]]]

    def of_struct(drawn: list[tuple[Any, list[object]]]) -> tuple[Any, list[object]]:
        kind = pa.struct([(f"f{place}", kind) for place, (kind, _) in enumerate(drawn)])
        ends = ({f"f{place}": values[end] for place, (_, values) in enumerate(drawn)} for end in (0, -1))
        return kind, list(ends)

    def of_map(drawn: tuple[Any, list[object]]) -> tuple[Any, list[object]]:
        kind, values = drawn
        return pa.map_(pa.string(), kind), [[("k", values[0])], [("l", values[-1])], []]

    return st.one_of(
        st.tuples(lists, inner, rows).map(of_list),
        st.lists(inner, min_size=1, max_size=2).map(of_struct),
        inner.map(of_map),
    )


kinds = st.recursive(st.sampled_from(FLAT), nested, max_leaves=4)


def filled(kind: Any, values: list[object]) -> Any:
    """An array of ``values``, some of them given as the integers that lie in memory."""
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return pa.array(values, pa.int64()).cast(kind)


@st.composite
def columns(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    """Two lists of values of one type, as arrays, and that type."""
    kind, values = draw(kinds)
    items = st.lists(st.none() | st.sampled_from(values), min_size=1, max_size=4)
    return filled(kind, draw(items)), filled(kind, draw(items)), kind


def content(array: Any) -> bytes:
    """What Arrow writes of an array, made anew by concatenation, so that nothing hidden or spare is left."""
    return repr((array.type, array.validate(full=True), _told(array))).encode()


def _told(array: Any) -> object:
    """Items in words, to the nanosecond."""
    return [_scalar(item) for item in array]


def _scalar(item: Any) -> object:
    if not item.is_valid:
        return None
    kind = item.type
    if pa.types.is_map(kind) or hasattr(kind, "value_field"):
        return [_scalar(inner) for inner in item.values]
    if pa.types.is_struct(kind):
        return [_scalar(item[place]) for place in range(kind.num_fields)]
    return repr(item.as_py()) if pa.types.is_dictionary(kind) else getattr(item, "value", None) or str(item)


@given(columns())
def test_columns_of_one_type_have_one_encoding_exactly_when_their_items_are_equal(drawn: tuple[Any, Any, Any]) -> None:
    """Whatever the type: all of an item counts, and nothing else."""
    left, right, kind = drawn
    if "dictionary" in str(kind):
        return  # where the order of the dictionary counts too
    assert (encode(left) == encode(right)) == (content(left) == content(right))


@given(columns())
def test_the_layout_of_a_column_does_not_count(drawn: tuple[Any, Any, Any]) -> None:
    """Slices, chunks and a copy through Arrow's file format have the encoding of the original."""
    left, right, kind = drawn
    expected = encode(left)
    whole = pa.concat_arrays([right, left])
    if "dictionary" not in str(kind):
        assert encode(whole[len(right) :]) == expected
        assert encode(pa.chunked_array([right, left])) == encode(pa.chunked_array([whole]))
    table = pa.table({"c": left})
    with io.BytesIO() as file:
        with pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
        assert encode(pa.ipc.open_stream(file.getvalue()).read_all()) == encode(table)


@given(columns(), columns())
def test_columns_of_two_types_differ(one: tuple[Any, Any, Any], other: tuple[Any, Any, Any]) -> None:
    """The type counts with all that is in it."""
    if one[2] != other[2]:
        assert encode(one[0]) != encode(other[0])
        assert encode(one[2]) != encode(other[2])
        assert encode(one[0][:0]) != encode(other[0][:0])


def union(codes: list[int], *, dense: bool = False, spare: int = 9) -> Any:
    """A union of an int64 and an int32 child, all ones where they are chosen."""
    types = pa.array(codes, pa.int8())
    if dense:
        offsets = pa.array([codes[:place].count(code) for place, code in enumerate(codes)], pa.int32())
        children = [pa.array([1] * codes.count(code) + [spare], kind) for code, kind in ((0, "int64"), (1, "int32"))]
        return pa.UnionArray.from_dense(types, offsets, children)
    columns = [
        pa.array([1 if code == chosen else spare for code in codes], kind)
        for chosen, kind in ((0, "int64"), (1, "int32"))
    ]
    return pa.UnionArray.from_sparse(types, columns)


@pytest.mark.parametrize("dense", [True, False])
def test_the_child_of_a_union_counts(dense: bool) -> None:
    """An item counts with the child that it comes from; what stands in the other children does not count."""
    assert encode(union([0, 1], dense=dense)) != encode(union([1, 0], dense=dense))
    assert encode(union([0, 1], dense=dense)) == encode(union([0, 1], dense=dense, spare=7))
    assert encode(union([1, 0, 1, 1], dense=dense)[1:3]) == encode(union([0, 1], dense=dense))


class Degrees(pa.ExtensionType):
    """An extension type with a parameter and views of text inside."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        super().__init__(pa.list_(pa.string_view()), "tests.degrees")

    def __arrow_ext_serialize__(self) -> bytes:
        return self.unit.encode()

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: Any, serialized: bytes) -> Degrees:
        return cls(serialized.decode())


def test_an_extension_type_counts_with_its_parameters() -> None:
    """Two units are two types; the items are those of the storage."""
    storage = pa.array([["a", None], None], pa.list_(pa.string_view()))
    one, other = (pa.ExtensionArray.from_storage(Degrees(unit), storage) for unit in ("C", "F"))
    assert encode(one) == encode(pa.ExtensionArray.from_storage(Degrees("C"), storage)) != encode(other)
    assert encode(one.type) != encode(other.type)
    assert encode(pa.fixed_shape_tensor(pa.int8(), [2, 3])) != encode(pa.fixed_shape_tensor(pa.int8(), [3, 2]))


def test_runs_count_by_the_items_that_they_stand_for() -> None:
    """Two ways to cut equal items into runs are one value."""
    long, short = (
        pa.RunEndEncodedArray.from_arrays([2, 3], [1, 2]),
        pa.RunEndEncodedArray.from_arrays([1, 2, 3], [1, 1, 2]),
    )
    assert encode(long) == encode(short) != encode(pa.RunEndEncodedArray.from_arrays([1, 3], [1, 2]))


def test_metadata_inside_a_dictionary_counts() -> None:
    """The type of a dictionary's values counts with its fields."""
    noted, plain = (
        pa.dictionary(pa.int8(), pa.struct([pa.field("a", pa.int8(), metadata=metadata)]))
        for metadata in ({"k": "v"}, {})
    )
    assert encode(noted) != encode(plain)
