"""Columns that need no look at each value give what a look at each value gives; so do addresses read all at once."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rave_flow.formats import reading
from rave_flow.formats.heads import Head
from rave_flow.formats.objects import objects
from rave_flow.formats.reading import Reading
from rave_flow.formats.sound_columns import sound_columns
from rave_flow.model.address_numbers import addresses_of, number, texts_of
from rave_flow.model.columns import extra_columns, resolve
from rave_flow.model.duckdb_connection import connected

NAMES = {
    "ts": 1715680800.25, "id.orig_h": "10.0.0.1", "id.orig_p": 4000, "id.resp_h": "192.0.2.80", "id.resp_p": 443,
    "proto": "tcp", "service": "ssl", "duration": 0.5, "conn_state": "SF", "history": "ShADadFf", "uid": "C1",
    "orig_pkts": 3, "orig_ip_bytes": 100, "resp_pkts": 2, "resp_ip_bytes": 50, "tunnel_parents": "(empty)",
}  # fmt: skip
KINDS = {"ts": "DOUBLE", "duration": "DOUBLE", "id.orig_p": "USMALLINT", "id.resp_p": "USMALLINT"}
KINDS |= dict.fromkeys(("orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes"), "BIGINT")
ARROW = {"DOUBLE": pyarrow.float64(), "USMALLINT": pyarrow.uint16(), "BIGINT": pyarrow.int64()}
ODD = {
    "ts": [None, -1.0, float("nan"), 1e300], "id.orig_h": ["::1", "010.0.0.1", "host", None], "id.orig_p": [None, 8],
    "proto": ["TCP", " udp", "icmp", "", "ÿ", None], "service": ["SSL", "(empty)", "dns ", None],
    "duration": [None, -1.0, float("nan"), 1e12], "conn_state": [" S0", "", None], "history": ["(empty)", "^d", None],
    "uid": ["C 2", "C2 ", "\xa0C2", "", None], "orig_ip_bytes": [None, -1, 2**60],
    "tunnel_parents": ["C9,C8", "", None],
}  # fmt: skip


def flows(table: pyarrow.Table) -> tuple[pyarrow.Table, object]:
    """The flows in a table with these names, and what is left out."""
    with connected() as connection:
        found = Reading("log", connection, Path())
        return found.flows(table, resolve(table.column_names, "log"), KINDS, range(table.num_rows)), found.left_out


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(st.dictionaries(st.sampled_from(sorted(ODD)), st.integers(0, 9), max_size=2), min_size=1, max_size=4),
    start=st.integers(0, 1),
)
def test_a_column_that_is_sound_gives_what_a_look_at_each_value_gives(rows: list[dict[str, int]], start: int) -> None:
    """Of any columns, of which some values are odd; also of a part of a table."""
    values = [NAMES | {name: ODD[name][place % len(ODD[name])] for name, place in row.items()} for row in rows]
    columns = {
        name: pyarrow.array([row[name] for row in values], ARROW.get(KINDS.get(name, ""), pyarrow.string()))
        for name in NAMES
    }
    table = pyarrow.table(columns).slice(min(start, len(rows) - 1))
    found = flows(table)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "sound_columns", lambda *_: frozenset())
        expected = flows(table)
    assert found[1] == expected[1]
    assert found[0].select(sorted(found[0].column_names)).equals(expected[0].select(sorted(found[0].column_names)))


class Turning:
    """A connection whose results come in the opposite order: threads give them in any."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.register, self.unregister = connection.register, connection.unregister

    def sql(self, query: str) -> Any:
        """The result, which can be asked for its table alone."""
        found = self.connection.sql(query).to_arrow_table()
        return SimpleNamespace(to_arrow_table=lambda: found.take([*range(found.num_rows)][::-1]))


def test_rows_keep_their_columns_together() -> None:
    """In whichever order SQL gives them; and the first fault has its line."""
    columns = {name: [value] * 300 for name, value in NAMES.items()}
    columns["id.orig_h"] = [f"10.0.{row // 250}.{row % 250}" for row in range(300)]
    columns["orig_ip_bytes"] = list(range(300))
    columns["proto"] = [*["tcp"] * 293, *[""] * 7]
    table = pyarrow.table(
        {name: pyarrow.array(each, ARROW.get(KINDS.get(name, ""), pyarrow.string())) for name, each in columns.items()}
    )
    with connected() as connection:
        reading_it = Reading("log", cast("Any", Turning(connection)), Path())
        found = reading_it.flows(table, resolve(table.column_names, "log"), KINDS, range(1, 301))
        lines = "\n".join(['{"ts": 1}', "{", *['{"ts": 2}'] * 3, ""]).encode()
        said = objects(cast("Any", Turning(connection)), lines, Head(("ts",), ("/ts",)))
    assert found["src"].to_pylist() == columns["id.orig_h"][:-7]
    assert found["src_bytes"].to_pylist() == columns["orig_ip_bytes"][:-7]
    assert found["bytes"].to_pylist() == [value + 50 for value in columns["orig_ip_bytes"][:-7]]
    assert reading_it.left_out.first == "line 294 has no protocol"
    assert (said.broken, list(said.places)) == ([1], [0, 2, 3, 4])


def test_only_values_that_need_no_look_are_sound() -> None:
    """A sound column is not worked through: all of an ordinary log's are."""
    for name, odd in [("uid", None), *((name, value) for name, values in ODD.items() for value in values)]:
        columns = {each: [value, value] for each, value in NAMES.items()} | {name: [NAMES[name], odd]}
        table = pyarrow.table(
            {
                each: pyarrow.array(two, ARROW.get(KINDS.get(each, ""), pyarrow.string()))
                for each, two in columns.items()
            }
        )
        chosen = resolve(table.column_names, "log")
        ours = {theirs: own for own, theirs in chosen.items()}.get(name, "x_tunnel_parents")
        sound = sound_columns(table, chosen, KINDS, extra_columns(table.column_names, chosen))
        is_free = ours in ("src", "x_tunnel_parents") or (odd is None and ours != "ts") or odd in (8, "icmp", "^d")
        assert (ours in sound) == is_free, (ours, odd)
        assert {"dst", "dst_port", "src_packets", "dst_bytes"} <= sound


WORDS = st.one_of(
    st.lists(st.sampled_from([*"0123456789", "00", "25", "255", "256", "1000", ".", ".", ":", " ", "a", "é", "-"]),
             max_size=12).map("".join),
    st.lists(st.integers(0, 260).map(str), min_size=3, max_size=5).map(".".join),
    st.ip_addresses().map(str),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(words=st.lists(st.one_of(st.none(), WORDS), max_size=8), start=st.integers(0, 2))
def test_addresses_read_at_once_are_those_read_one_by_one(words: list[str | None], start: int) -> None:
    """Of any texts, most of them no addresses; also of a part of a column."""
    found = addresses_of(pyarrow.chunked_array([pyarrow.array(words, pyarrow.string()).slice(start)], pyarrow.string()))
    for word, text, high, low in zip(
        words[start:], *(column.to_pylist() for column in (found.text, found.high, found.low)), strict=True
    ):
        expected = None if word is None else number(word)
        assert (text is None) == (expected is None)
        if expected is not None:
            assert (high << 64 | low) == expected == number(text)
            assert ipaddress.ip_address(text).compressed == text
    texts = found.text.drop_null()
    assert texts_of(found.high.drop_null(), found.low.drop_null()).to_pylist() == texts.to_pylist()
