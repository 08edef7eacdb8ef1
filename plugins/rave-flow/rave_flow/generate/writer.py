"""Writes a generated day as Zeek does: a gzip log for each hour; a flow is in the log of the hour in which it ended."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rave_flow.generate.scenario import DAY, MTU, Part, Scenario

if TYPE_CHECKING:
    import numpy

FIELDS = {
    "ts": "time", "uid": "string", "id.orig_h": "addr", "id.orig_p": "port", "id.resp_h": "addr", "id.resp_p": "port",
    "proto": "enum", "service": "string", "duration": "interval", "orig_bytes": "count", "resp_bytes": "count",
    "conn_state": "string", "local_orig": "bool", "local_resp": "bool", "missed_bytes": "count", "history": "string",
    "orig_pkts": "count", "orig_ip_bytes": "count", "resp_pkts": "count", "resp_ip_bytes": "count",
    "tunnel_parents": "set[string]",
}  # fmt: skip
"""The columns of a Zeek connection log with their Zeek types."""

_LINE = "%.6f\tC%016x\t%s\t%d\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t0\t%s\t%d\t%d\t%d\t%d\t-\n"
_HEADERS = {"tcp": 40, "udp": 28, "icmp": 28}
_IPV6_MORE = 20
_STATES = {
    "tcp": (("SF", "ShADadFf"), ("S0", "S")),
    "udp": (("SF", "Dd"), ("S0", "D")),
    "icmp": (("OTH", "-"), ("OTH", "-")),
}


def write_day(
    directory: Path, scenario: Scenario, told: Callable[[int, int, str], object] = lambda *_: None
) -> list[Path]:
    """Writes the scenario's day below ``directory``, and returns the 24 files, which replace that day's old ones.

    Equal scenarios give equal bytes (with one version of numpy and zlib). A log whose hour is over lacks the flows
    that had not ended by then. They are in a later log; flows that end after midnight are in the last one.

    Args:
        directory: created if it is missing.
        scenario: what to write.
        told: is called with how many files are done, how many there are, and the name of the next.
    """
    told(0, 24, "thinking up the day")
    hours = _by_hour(scenario)
    folder = directory / scenario.day.isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, lines in enumerate(hours):
        path = folder / f"conn.{number:02d}:00:00-{(number + 1) % 24:02d}:00:00.log.gz"
        told(number, 24, path.name)
        _write(path, scenario.start + number * 3600, lines)
        paths.append(path)
    told(24, 24, "done")
    return paths


def _by_hour(scenario: Scenario) -> list[list[str]]:
    """The lines of each hour's log, in the order in which the flows ended."""
    import numpy

    random = numpy.random.default_rng([scenario.seed, scenario.day.toordinal(), 1])
    lines: list[str] = []
    ended = []
    for part in scenario.parts():
        lines.extend(_lines(part, scenario.start, random))
        ended.append(part.seconds + part.duration)
    ends = numpy.concatenate(ended)
    hours: list[list[str]] = [[] for _ in range(24)]
    for index in numpy.argsort(ends, kind="stable").tolist():
        hours[int(min(ends[index], DAY - 1) // 3600)].append(lines[index])
    return hours


def _lines(part: Part, start: float, random: numpy.random.Generator) -> Iterator[str]:
    sent_packets, sent_bytes = _on_the_wire(part, part.sent)
    received_packets, received_bytes = _on_the_wire(part, part.received)
    received_packets, received_bytes = received_packets * part.answered, received_bytes * part.answered
    columns: list[Any] = [
        (start + part.seconds).tolist(),
        random.integers(0, 2**63, len(part.seconds)).tolist(),
        *(column.tolist() for column in (part.src, part.src_port, part.dst, part.dst_port)),
        *(column.tolist() for column in (part.duration, part.sent, part.received, part.answered)),
        *(column.tolist() for column in (sent_packets, sent_bytes, received_packets, received_bytes)),
    ]
    for row in zip(*columns, strict=True):
        yield _line(part, *row)


def _on_the_wire(part: Part, payload: Any) -> tuple[Any, Any]:
    """Packets and IP bytes that carry ``payload``; TCP needs some to open and to close."""
    import numpy

    is_ipv6 = ":" in str(part.src[0])
    header = _HEADERS[part.proto] + (_IPV6_MORE if is_ipv6 else 0)
    full = -(-payload // MTU)
    packets = full + numpy.where(part.answered, 4, 1) if part.proto == "tcp" else numpy.maximum(full, 1)
    return packets, payload + packets * header


def _line(part: Part, *row: Any) -> str:
    ts, uid, src, src_port, dst, dst_port, duration, sent, received, is_answered, *amounts = row
    state, history = _STATES[part.proto][0 if is_answered else 1]
    has_data = is_answered or part.proto != "tcp"
    measured = (f"{duration:.6f}", sent, received) if has_data else ("-", "-", "-")
    places = ("FT"[_is_local(src)], "FT"[_is_local(dst)])
    return _LINE % (
        ts, uid, src, src_port, dst, dst_port, part.proto, part.service if is_answered else "-",
        *measured, state, *places, history, *amounts,
    )  # fmt: skip


def _is_local(address: str) -> bool:
    return address.startswith(("10.", "192.0.2.", "2001:db8:1:"))


def _write(path: Path, start: float, lines: list[str]) -> None:
    header = {
        "#separator": "\\x09", "#set_separator": ",", "#empty_field": "(empty)", "#unset_field": "-", "#path": "conn",
        "#open": _stamp(start), "#fields": "\t".join(FIELDS), "#types": "\t".join(FIELDS.values()),
    }  # fmt: skip
    first = "".join(f"{name}{' ' if name == '#separator' else chr(9)}{value}\n" for name, value in header.items())
    text = f"{first}{''.join(lines)}#close\t{_stamp(start + 3600)}\n"
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    # Without a time and a name in it, the stream depends on nothing but what is in it.
    draft.write_bytes(gzip.compress(text.encode(), compresslevel=6, mtime=0))
    draft.replace(path)


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d-%H-%M-%S")
