"""NetFlow files and captures, read by nfdump's own programs, as lines of JSON for each flow.

Each flow has one direction, as the exporter or ``nfpcapd`` made it. Its bytes are those of its source.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from rave_flow.errors import UnreadableError
from rave_flow.formats.compression import opened
from rave_flow.formats.file_names import Form
from rave_flow.formats.programs import run
from rave_flow.formats.source_directory import SourceFile, form_of

ROTATION = 3600
"""Seconds that one file of ``nfpcapd`` covers."""

_CHUNK = 1 << 20


def to_json(file: SourceFile, folder: Path) -> tuple[Path | None, str]:
    """The flows of a file as a JSON array in ``folder``, ``None`` for none, and what could not be read, or ``""``.

    Raises:
        UnreadableError: a program is missing, or refuses the file; or packets were read, and no flow was made of them.
    """
    if form_of(file) is Form.NETFLOW:
        return _flows(file, ["-r", file.path], folder), ""
    packets = folder / "packets"
    with opened(file) as source, packets.open("wb") as copy:
        shutil.copyfileobj(source, copy, _CHUNK)
    number, lost = _look(packets)
    made = folder / "nfcapd"
    made.mkdir()
    _run(file, folder / "said", "nfpcapd", "-r", str(packets), "-w", str(made), "-t", str(ROTATION))
    flows = _flows(file, ["-R", str(made)], folder)
    if number and flows is None:
        raise UnreadableError(f"{file.path}: nfpcapd finds no flows in its {number} packets")
    return flows, lost


def span_of_netflow(file: SourceFile, folder: Path) -> tuple[int, int] | None:
    """The seconds in which the first flow of a file starts and the last one ends; ``None`` where its head says none.

    Raises:
        UnreadableError: nfdump is missing, or refuses the file.
    """
    target = folder / "head"
    _run(file, target, "nfdump", "-I", "-r", file.path)
    said = dict(line.partition(":")[::2] for line in target.read_text(errors="replace").splitlines())
    try:
        first, last, number = int(said["First"]), int(said["Last"]), int(said["Flows"])
    except (KeyError, ValueError):
        return None
    return (first, last) if number and 0 < first <= last else None


def _flows(file: SourceFile, which: list[str], folder: Path) -> Path | None:
    target = folder / "flows.json"
    _run(file, target, "nfdump", *which, "-o", "json")
    with target.open("rb") as found:
        beginning = found.read(_CHUNK)
    return None if not beginning.strip() or b"No matching flows" in beginning[:100] else target


_FIRST, _LAST = (f"epoch_us(TRY_CAST({name} || 'Z' AS TIMESTAMPTZ))" for name in ('"first"', "ended"))
_WRAP = 2**32 * 1000
"""Microseconds after which the milliseconds since a router's start wrap around."""

SELECT = f"""
SELECT * REPLACE (CASE WHEN wrapped THEN make_timestamp(least(started + {_WRAP}, stopped)) || 'Z' ELSE ts END AS ts,
                  CASE WHEN wrapped THEN greatest(duration - {_WRAP / 1e6}, 0) ELSE duration END AS duration)
FROM (
    SELECT "first" || 'Z' AS ts, {_FIRST} AS started, {_LAST} AS stopped, (stopped - started) / 1e6 AS duration,
           coalesce(type = 'FLOW' AND stopped - started BETWEEN {_WRAP - 3600 * 10**6} AND {_WRAP + 86400 * 10**6},
                    false) AS wrapped,
           coalesce(src4_addr, src6_addr) AS src, coalesce(dst4_addr, dst6_addr) AS dst,
           coalesce(src_port, '0') AS src_port, coalesce(dst_port, '0') AS dst_port, icmp_type, icmp_code, proto,
           coalesce(in_bytes, '0') AS src_bytes, coalesce(out_bytes, '0') AS dst_bytes,
           coalesce(in_packets, '0') AS src_packets, coalesce(out_packets, '0') AS dst_packets, tcp_flags AS flags,
           type IS DISTINCT FROM 'FLOW' AND event IS DISTINCT FROM 'DELETE' AS is_other
    FROM (SELECT *, CASE WHEN type = 'EVENT' THEN t_event ELSE "last" END AS ended FROM {{source}})
)
"""  # noqa: S608  # ours
"""SQL that turns nfdump's report of a flow into our columns. A firewall reports a flow's beginning, state and end. Only
the end has all its bytes, so the others are not flows (``is_other``). ``wrapped`` means that the router's uptime
wrapped around between a flow's start and its export."""

SAID = (
    "type", "event", "t_event", "first", "last", "src4_addr", "src6_addr", "dst4_addr", "dst6_addr", "src_port",
    "dst_port", "icmp_type", "icmp_code", "proto", "in_bytes", "out_bytes", "in_packets", "out_packets", "tcp_flags",
)  # fmt: skip
COLUMNS = (
    "ts", "duration", "src", "dst", "src_port", "dst_port", "icmp_type", "icmp_code", "proto", "src_bytes",
    "dst_bytes", "src_packets", "dst_packets", "flags",
)  # fmt: skip


def _run(file: SourceFile, output: Path, program: str, *arguments: str) -> None:
    said = run(file, output, program, *arguments, package="Debian: nfdump")
    # nfdump says what is wrong with a file, yet exits as if all were well.
    if program == "nfdump" and ("Open file" in said or "rror" in said):
        raise UnreadableError(f"{file.path}: {program}: {said[-300:]}")


def _look(path: Path) -> tuple[int, str]:
    """How many packets or blocks a capture has, and what is cut off at its end: ``nfpcapd`` reports neither."""
    number = 0
    with path.open("rb") as source:
        start = source.read(4)
        source.seek(0)
        found = _blocks(source) if start == b"\x0a\x0d\x0d\x0a" else _records(source, start)
        try:
            while next(found, False):
                number += 1
        except EOFError:
            return number, f"the capture is cut within what follows its packet {number}"
    return number, ""


_ORDERS = {
    b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\x3c\x4d": ">",
}  # fmt: skip


def _records(source: BinaryIO, magic: bytes) -> Iterator[bool]:
    order = _ORDERS.get(magic)
    if order is None:
        return  # nfpcapd will say that it is not a capture
    _read(source, 24)
    while head := source.read(16):
        if len(head) < 16:
            raise EOFError
        _read(source, struct.unpack(f"{order}8xI4x", head)[0])
        yield True


def _blocks(source: BinaryIO) -> Iterator[bool]:
    order = "<"
    while head := source.read(12):
        if len(head) < 12:
            raise EOFError
        if head.startswith(b"\x0a\x0d\x0d\x0a"):
            order = "<" if head[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
        _read(source, max(struct.unpack(f"{order}4xI4x", head)[0] - 12, 0))
        yield True


def _read(source: BinaryIO, size: int) -> None:
    if len(source.read(size)) < size:
        raise EOFError
