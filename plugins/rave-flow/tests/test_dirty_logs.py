"""Zeek logs that are spoiled in any way, in both forms: what counts and what is left out is all that was written."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from log_texts import left_out
from rave_flow.errors import FlowError
from rave_flow.formats import bundles
from rave_flow.operations import top

Reused = Callable[[], AbstractContextManager[tuple[Path, int]]]
FIELDS = [
    "ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "duration", "orig_pkts", "orig_ip_bytes",
    "resp_pkts", "resp_ip_bytes", "note",
]  # fmt: skip
HEAD = "#separator \\x09\n#path\tconn\n#fields\t" + "\t".join(FIELDS) + "\n"
START = 1715680800
CHANGES = {
    "time": {"ts": "soon"}, "far time": {"ts": "1e300"}, "address": {"id.resp_h": "::g"},
    "port": {"id.orig_p": "65536"}, "number": {"orig_pkts": "1.5"}, "negative": {"resp_ip_bytes": "-1"},
    "protocol": {"proto": "-"}, "negative duration": {"duration": "-2"}, "mapped": {"id.orig_h": "::ffff:10.0.0.1"},
    "ipv6": {"id.orig_h": "2001:db8::1"}, "icmp": {"proto": "icmp", "id.orig_p": "8", "id.resp_p": "0"},
    "utf8": {"note": "S\udcff"}, "brace": {"note": "{x}"}, "good": {}, "1970": {"ts": "0.5"},
    "millis": {"ts": "1715680800500"},
}  # fmt: skip
COUNTING = {
    "negative duration", "mapped", "ipv6", "icmp", "utf8", "brace", "good", "1970", "millis", "copy", "another hour",
}  # fmt: skip
KINDS = st.sampled_from([*CHANGES, "copy", "another hour", "cut", "comment", "blank"])
LOGS = st.lists(
    st.tuples(st.sampled_from(["columns", "objects", "both"]), st.lists(KINDS, min_size=1, max_size=8)),
    min_size=1,
    max_size=4,
)


def line_of(kind: str, number: int, *, is_object: bool) -> str:
    """A line that is spoiled in some way; ``copy`` and ``another hour`` are of one connection each."""
    uid = kind.replace(" ", "") if kind in ("copy", "another hour") else f"C{number}"
    second = {"copy": 0, "another hour": 3600 * (number % 30)}.get(kind, number)
    port = "7" if kind in ("copy", "another hour") else str(4000 + number)
    values = [f"{START + second}.5", uid, "10.0.0.1", port, "192.0.2.80", "443", "tcp", "1", "1", "9", "0", "0", "fine"]
    row = dict(zip(FIELDS, values, strict=True)) | CHANGES.get(kind, {})
    if kind in ("comment", "blank"):
        return {"comment": "#close\n", "blank": "\n"}[kind]
    text = json.dumps({name: value for name, value in row.items() if value != "-"}, ensure_ascii=False)
    text = text if is_object else "\t".join(row.values())
    return (text[:-40] if kind == "cut" else text) + "\n"


def log_of(form: str, kinds: list[str], number: int) -> bytes:
    """A log whose lines have these kinds; of both forms it goes over from columns to objects."""
    parts = [HEAD] if form != "objects" else []
    for place, kind in enumerate(kinds):
        is_object = form == "objects" or (form == "both" and place >= len(kinds) // 2)
        parts.append(line_of(kind, number + place, is_object=is_object))
    return "".join(parts).encode("utf-8", "surrogateescape")


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(logs=LOGS, packed=st.booleans(), small=st.sampled_from([0, bundles.SMALL]))
@example(logs=[("columns", ["copy", "another hour"]), ("objects", ["another hour", "copy"])], packed=False, small=0)
def test_of_logs_all_that_was_written_counts_or_is_reported(
    reused: Reused, logs: list[tuple[str, list[str]]], packed: bool, small: int
) -> None:
    """Each connection once. A log that can't be read at all is named, and costs its own lines alone."""
    sizes, number = {}, 0
    with reused() as (directory, attempt), pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundles, "SMALL", small)
        for place, (form, kinds) in enumerate(logs):
            content = log_of(form, kinds, number)
            name = f"conn.{place}x{attempt}.log{'.gz' if packed else ''}"
            (directory / name).write_bytes(gzip.compress(content, mtime=0) if packed else content)
            sizes[name] = sum(kind not in ("comment", "blank") for kind in kinds)
            number += len(kinds)
        try:
            table = top(n=1000, over="proto")
        except FlowError:
            assert not any(kind in COUNTING for _, kinds in logs for kind in kinds)
            return
    told = left_out(table)
    counted, named = sum(table["flows"].to_pylist()), set(told.get("files", {}))
    lines = sum(told.get("lines", {}).values())
    assert counted + lines + told.get("duplicates", 0) + sum(sizes[name] for name in named) == sum(sizes.values())
    good = [kind for name, (_, kinds) in zip(sizes, logs, strict=True) if name not in named for kind in kinds]
    assert counted == sum(kind in COUNTING - {"copy", "another hour"} for kind in good) + len(
        {kind for kind in good if kind in ("copy", "another hour")}
    )
