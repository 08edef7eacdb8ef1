"""What routers and firewalls export, against values worked out by hand from the packets that they sent."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from log_texts import left_out
from netflow_files import BIFLOW, BREAKS, LATE, NSEL, SAMPLED, SENT, V5, V9, write
from rave_flow.operations import count, top
from rave_flow.silk import rwcut, rwfilter

from rave_core import Runtime

Serve = Callable[[Path], Runtime]


@pytest.fixture(autouse=True)
def _nfdump() -> None:
    if shutil.which("nfdump") is None:
        assert not os.environ.get("CI"), "CI installs nfdump by .ci/servers, so that no test is left out"
        pytest.skip("needs nfdump: apt-get install nfdump")


def flows(fields: str = "stime,duration,sip,sport,bytes,packets") -> list[list[Any]]:
    """All flows in order of time: their start as seconds since `SENT`."""
    rows = rwcut(rwfilter(), fields=fields).to_pylist()
    found = [[round(row.pop("stime").timestamp() - SENT, 3), *row.values()] for row in rows]
    return sorted(found, key=lambda row: row[0])


@pytest.mark.parametrize("content", [V5, V9])
def test_an_uptime_that_wrapped_does_not_move_flows(serving: Serve, directory: Path, content: str) -> None:
    """Neither within a flow, nor between its end and the export, where nfdump is 49.7 days wrong of NetFlow v9."""
    write(content, directory)
    serving(directory)
    start, end = (datetime.fromtimestamp(SENT + second, UTC) for second in (5, 6))
    assert top(start=start, end=end)["src"].to_pylist() == ["192.0.2.11"]  # though a head says that it is later
    assert flows() == [
        [4.904, 2.024, "192.0.2.10", 40001, 1000, 10],
        [5.404, 0.4, "192.0.2.11", 40003, 70, 1],
        [6.928, 1.024, "192.0.2.10", 40002, 300, 3],
    ]
    assert left_out(count()) == ({} if content is V5 else {"losses": {"ahead": 1}})


def test_an_end_just_before_its_start_is_not_a_wrap(serving: Serve, directory: Path) -> None:
    """Such a flow lasts no time, rather than 49.7 days; the answer says that its start was moved."""
    write(LATE, directory)
    serving(directory)
    assert flows() == [[1082.0, 0.0, "192.0.2.10", 40001, 1000, 10], [1082.0, 0.5, "192.0.2.10", 40002, 300, 3]]
    assert left_out(count()) == {"losses": {"start": 1}}


def test_a_flow_of_both_directions_has_the_bytes_of_each(serving: Serve, directory: Path) -> None:
    """Of IPFIX with reverse elements (RFC 5103): a biflow is one flow, not two."""
    write(BIFLOW, directory)
    serving(directory)
    assert flows("stime,duration,sport,bytes,packets,src_bytes,dst_bytes") == [
        [0.25, 2.5, 40001, 9500, 21, 1500, 8000],
        [1.0, 0.0, 40002, 40, 1, 40, 0],
    ]
    assert left_out(count()) == {}


def test_a_firewall_s_connection_counts_when_it_ends(serving: Serve, directory: Path) -> None:
    """With all its bytes, once: what was created, updated or denied is an event, and said to be left out."""
    write(NSEL, directory)
    serving(directory)
    assert flows("stime,duration,sip,sport,bytes,src_bytes,dst_bytes") == [
        [0.0, 3.0, "192.0.2.10", 50001, 1200, 500, 700],
        [4.0, 1.0, "192.0.2.11", 50002, 180, 60, 120],
    ]
    assert left_out(count())["lines"] == {"event": 3}


def test_estimates_from_a_sample_are_said(serving: Serve, directory: Path) -> None:
    """nfcapd multiplies by the rate: the answer says that it is no count."""
    write(SAMPLED, directory)
    serving(directory)
    assert [row[4:] for row in flows()] == [[100_000, 1000]]
    assert left_out(count()) == {"losses": {"sampled": 1}}


def test_breaks_in_the_numbers_of_messages_are_said(serving: Serve, directory: Path) -> None:
    """Of each exporter, as nfcapd counted them: flows may be missing."""
    write(BREAKS, directory)
    serving(directory)
    table = count()
    assert table["flows"].to_pylist() == [10]
    assert left_out(table) == {"breaks": {"127.0.0.1 (version 5, id 1)": 1, "127.0.0.1 (version 5, id 2)": 1}}
    assert b"2 breaks in the numbers of exporters' messages: 1 of 127.0.0.1" in table.schema.metadata[b"rave.notes"]
