"""NetFlow files and captures, read by nfdump's own programs, as lines of JSON for each flow.

Each flow has one direction, as the exporter or ``nfpcapd`` made it. Its bytes are those of its source.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from rave_flow.errors import UnreadableError
from rave_flow.formats.captures import Count, ip_packets, write_ip
from rave_flow.formats.compression import opened
from rave_flow.formats.file_names import Form
from rave_flow.formats.programs import run
from rave_flow.formats.source_directory import SourceFile, form_of
from rave_flow.model.windows import DAY, HOUR

ROTATION = 3600
"""Seconds that one file of ``nfpcapd`` covers."""

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Report:
    """What nfdump says of a file.

    Attributes:
        path: of its flows, a JSON array; ``None`` for none.
        packets: what was counted in a capture; ``None`` for other files.
        breaks: how often the numbers of messages jump, by the exporters that they do of.
    """

    path: Path | None
    packets: Count | None = None
    breaks: Mapping[str, int] = field(default_factory=dict)


def to_json(file: SourceFile, folder: Path) -> Report:
    """The flows of a file as a JSON array in ``folder``.

    Raises:
        UnreadableError: a program is missing, or refuses the file; or packets were read, and no flow was made of them.
    """
    if form_of(file) is Form.NETFLOW:
        return Report(_flows(file, ["-r", file.path], folder), breaks=_breaks(file, folder))
    packets = folder / "packets"
    with opened(file) as raw, packets.open("wb") as target:
        count = write_ip(cast("BinaryIO", io.BufferedReader(_Raw(raw), _CHUNK)), target, file.path)
    if not count.packets:
        return Report(None, count)
    made = folder / "nfcapd"
    made.mkdir()
    _run(file, folder / "said", "nfpcapd", "-r", str(packets), "-w", str(made), "-t", str(ROTATION))
    flows = _flows(file, ["-R", str(made)], folder)
    if flows is None:
        raise UnreadableError(f"{file.path}: nfpcapd finds no flows in its {count.packets} packets")
    return Report(flows, count)


def span_of_capture(file: SourceFile) -> tuple[int, int] | None:
    """The seconds of the first and the last packet of a capture; ``None`` if it has none.

    Raises:
        UnreadableError: it is no capture, or one of a kind of link that is not read.
    """
    count = Count()
    with opened(file) as raw:
        for _ in ip_packets(cast("BinaryIO", io.BufferedReader(_Raw(raw), _CHUNK)), file.path, count):
            pass
    if count.first is None or count.last is None:
        return None
    return count.first // 10**9, count.last // 10**9


class _Raw(io.RawIOBase):
    """What `opened` gives, as buffers read it."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._source.read(len(buffer))
        buffer[: len(found)] = found
        return len(found)


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
    return (first, last) if number and 0 < first <= last and not _seems_ahead(file.path, last) else None


def _seems_ahead(path: str, last: int) -> bool:
    """Whether the head of a file says that flows start days after the time in its name: see ``ahead`` in `SELECT`."""
    named = re.fullmatch(r"nfcapd\.(\d{12})\d*", Path(path).name)
    try:
        begins = datetime.strptime(named[1], "%Y%m%d%H%M").replace(tzinfo=UTC) if named else None
    except ValueError:
        return False
    return begins is not None and 2 * DAY < last - begins.timestamp() < 60 * DAY


def _flows(file: SourceFile, which: list[str], folder: Path) -> Path | None:
    target = folder / "flows.json"
    _run(file, target, "nfdump", *which, "-o", "json")
    with target.open("rb") as found:
        beginning = found.read(_CHUNK)
    return None if not beginning.strip() or b"No matching flows" in beginning[:100] else target


_EXPORTER = re.compile(r"IP: *(\S+), version: *(\d+), ID: *(\d+), Sequence failures: *([1-9]\d*)")


def _breaks(file: SourceFile, folder: Path) -> Mapping[str, int]:
    """How often nfcapd saw a number that does not follow the last one, by exporter. It keeps no more of it."""
    target = folder / "exporters"
    _run(file, target, "nfdump", "-E", file.path)
    found: Counter[str] = Counter()
    for address, version, number, breaks in _EXPORTER.findall(target.read_text(errors="replace")):
        found[f"{address} (version {version}, id {number})"] += int(breaks)
    return found


_FIRST, _LAST, _RECEIVED = (
    f"epoch_us(TRY_CAST({name} || 'Z' AS TIMESTAMPTZ))" for name in ('"first"', "ended", "received")
)
_WRAP = 2**32 * 1000
"""Microseconds after which the milliseconds since a router's start wrap around."""

SELECT = f"""
SELECT * REPLACE (CASE WHEN ahead THEN make_timestamp(started - {_WRAP}) || 'Z'
                       WHEN wrapped THEN make_timestamp(least(started + {_WRAP}, stopped)) || 'Z' ELSE ts END AS ts,
                  CASE WHEN wrapped THEN greatest(duration - {_WRAP / 1e6}, 0) ELSE duration END AS duration)
FROM (
    SELECT "first" || 'Z' AS ts, {_FIRST} AS started, {_LAST} AS stopped, (stopped - started) / 1e6 AS duration,
           coalesce(type = 'FLOW' AND stopped - started BETWEEN {_WRAP - HOUR * 10**6} AND {_WRAP + DAY * 10**6},
                    false) AS wrapped,
           coalesce(type = 'FLOW' AND started - {_RECEIVED} BETWEEN {_WRAP - DAY * 10**6} AND {_WRAP + HOUR * 10**6},
                    false) AS ahead,
           coalesce(src4_addr, src6_addr) AS src, coalesce(dst4_addr, dst6_addr) AS dst,
           coalesce(src_port, '0') AS src_port, coalesce(dst_port, '0') AS dst_port, icmp_type, icmp_code, proto,
           coalesce(in_bytes, '0') AS src_bytes, coalesce(out_bytes, '0') AS dst_bytes,
           coalesce(in_packets, '0') AS src_packets, coalesce(out_packets, '0') AS dst_packets, tcp_flags AS flags,
           type IS DISTINCT FROM 'FLOW' AND event IS DISTINCT FROM 'DELETE' AS is_other,
           coalesce(sampled, '0') <> '0' AND NOT is_other AS is_sampled
    FROM (SELECT *, CASE WHEN type = 'EVENT' THEN t_event ELSE "last" END AS ended FROM {{source}})
)
"""  # noqa: S608  # ours
"""SQL that turns nfdump's report of a flow into our columns. A firewall reports a flow's beginning, state and end. Only
the end has all its bytes, so the others are not flows (``is_other``). ``wrapped`` means that the router's uptime
wrapped around between a flow's start and its end, ``ahead`` that it did between the end and the export: nfdump then
takes both times of NetFlow v9 for 49.7 days later than they are. ``is_sampled`` means that nfcapd multiplied bytes and
packets by the rate of a sample."""

SAID = (
    "type", "event", "t_event", "first", "last", "received", "src4_addr", "src6_addr", "dst4_addr", "dst6_addr",
    "src_port", "dst_port", "icmp_type", "icmp_code", "proto", "in_bytes", "out_bytes", "in_packets", "out_packets",
    "tcp_flags", "sampled",
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
