"""What rave-flow adds to DuckDB, and how it compares with nfdump: `python benchmarks/flow.py [--flows N]`.

A day of N generated flows, as hourly Zeek logs. It compares reading them with DuckDB's own COPY of the same columns to
Parquet, and first questions with the same SQL by hand over the same Parquet. Then it repeats the questions, and reads
ten thousand small logs. If nfdump is installed, it reads as many flows as NetFlow, and asks both for the ten largest
destinations: what is added up while the flows are read is there for the first question, and later ones need the totals
of days alone. A figure over its limit makes the run fail; the limits are for the default number of flows.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy
from rave_flow.arguments.converters import to_source
from rave_flow.formats.source_directory import Repository
from rave_flow.inventory import Inventory
from rave_flow.operations import top
from rave_flow.silk import rwcount, rwfilter, rwstats, rwuniq
from rave_flow.steps import ingest

from rave_core import Runtime, Settings, using

HOURS = 24
DAY = 1715644800
ROUNDS = 9
SMALL_LOGS, COLD_SECONDS, WARM_SECONDS = 10_000, 20.0, 0.2
INGEST_RATIO, QUERY_RATIO, NFDUMP_RATIO, HIT_MS, MEMORY_MB = 1.3, 1.15, 0.3, 1.0, 2048.0
FIELDS = (
    "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto service duration conn_state orig_pkts orig_ip_bytes "
    "resp_pkts resp_ip_bytes"
)
FLOWS = """
SELECT {start} + 3600.0 * i / {number} AS ts, 'C' || hash(i, {start})::VARCHAR AS uid,
       '10.' || (hash(i, 1) % 4) || '.' || (hash(i, 2) % 200) || '.' || (hash(i, 3) % 250) AS src,
       1024 + hash(i, 4) % 60000 AS src_port,
       '198.51.' || (hash(i, 5) % 100) || '.' || (hash(i, 6) % 250) AS dst,
       [443, 80, 53, 22, 123, 8080, 25, 993][(1 + hash(i, 7) % 8)::BIGINT] AS dst_port,
       CASE WHEN hash(i, 7) % 8 IN (2, 4) THEN 'udp' ELSE 'tcp' END AS proto, 'ssl' AS service,
       round((hash(i, 8) % 60000) / 1000.0, 6) AS duration, 'SF' AS state, 1 + hash(i, 9) % 50 AS src_packets,
       40 + hash(i, 10) % 60000 AS src_bytes, 1 + hash(i, 11) % 90 AS dst_packets,
       40 + hash(i, 12) % 900000 AS dst_bytes
FROM range({number}) t(i)
"""
COPY = """
COPY (SELECT make_timestamp(CAST(column00 * 1000000 AS BIGINT)) AS ts, column01 AS uid, column02 AS src,
      column03 AS src_port, column04 AS dst, column05 AS dst_port, column06 AS proto, column07 AS service,
      column08 AS duration, column09 AS state, column11 + column13 AS bytes, column10 + column12 AS packets,
      column11 AS src_bytes, column13 AS dst_bytes
      FROM read_csv('{log}', delim='\t', header=false, skip=3, quote='', escape='', nullstr='-', auto_detect=false,
                    columns={columns}) ORDER BY ts)
TO '{target}' (FORMAT parquet, COMPRESSION zstd)
"""
KINDS = ["DECIMAL(28,6)", "VARCHAR", "VARCHAR", "USMALLINT", "VARCHAR", "USMALLINT", "VARCHAR", "VARCHAR", "DOUBLE",
         "VARCHAR", "BIGINT", "BIGINT", "BIGINT", "BIGINT"]  # fmt: skip
COLUMNS = "{" + ", ".join(f"'column{place:02d}': '{kind}'" for place, kind in enumerate(KINDS)) + "}"
SUMS = "count(*) AS records, CAST(sum(bytes) AS BIGINT) AS bytes"
BY_HAND: dict[str, str] = {
    "rwstats": f"SELECT dst, {SUMS} FROM flows WHERE dst_port IN (80, 443) GROUP BY dst ORDER BY bytes DESC LIMIT 10",
    "rwuniq": f"SELECT src, dst_port, {SUMS} FROM flows WHERE proto = 'tcp' GROUP BY ALL ORDER BY src, dst_port",
    "rwcount": "SELECT epoch_us(ts) // 300000000 AS bin, count(*), sum(bytes), sum(packets), min(epoch_us(ts)), "
               "max(epoch_us(ts) + CAST(round(coalesce(duration, 0) * 1000000) AS BIGINT)) FROM flows "
               "WHERE bytes >= 1000 GROUP BY bin ORDER BY bin",  # rows extend to the end of the last flow
}  # fmt: skip
ASKED: dict[str, Callable[[], Any]] = {
    "rwstats": lambda: rwstats(rwfilter(dport="80,443"), fields="dip", values="bytes,records", count=10),
    "rwuniq": lambda: rwuniq(rwfilter(protocol="tcp"), fields="sip,dport", values="records,bytes"),
    "rwcount": lambda: rwcount(rwfilter(bytes="1000-"), bin_size=300, load_scheme=1),
}


def seconds(call: Callable[[], object]) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def generate(place: Path, number: int) -> list[Path]:
    """The logs of a day, an hour each."""
    logs = []
    with duckdb.connect() as connection:
        for hour in range(HOURS):
            log = place / f"conn.{hour:02d}.log"
            query = FLOWS.format(start=DAY + hour * 3600, number=number // HOURS)
            connection.execute(f"COPY ({query}) TO '{log}.part' (FORMAT csv, DELIMITER '\t', HEADER false, QUOTE '')")
            head = "#separator \\x09\n#path\tconn\n#fields\t" + "\t".join(FIELDS.split()) + "\n"
            with log.open("wb") as whole, Path(f"{log}.part").open("rb") as part:
                whole.write(head.encode())
                while piece := part.read(1 << 22):
                    whole.write(piece)
            Path(f"{log}.part").unlink()
            logs.append(log)
    return logs


def load(place: Path) -> None:
    """Reads a log of a few flows, so that the libraries are loaded before the timing."""
    place.mkdir()
    generate(place, HOURS)
    with Runtime(Settings(cache=["memory://"], products=[f"file://{place}/products"])) as runtime, using(runtime):
        Inventory.of(Repository.scan(place))


def copied(logs: list[Path], place: Path) -> None:
    """The logs as Parquet, as you would write it by hand."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for log in logs:
            connection.execute(COPY.format(log=log, columns=COLUMNS, target=place / f"{log.stem}.parquet"))


def by_hand(files: list[str], query: str) -> None:
    """A question without RAVE."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE VIEW flows AS FROM read_parquet({files!r})")
        connection.sql(query).to_arrow_table()


PACKET = numpy.dtype([
    ("second", "<u4"), ("micros", "<u4"), ("kept", "<u4"), ("size", "<u4"), ("ethernet", "V12"), ("kind", ">u2"),
    ("version", ">u2"), ("length", ">u2"), ("lifetime", "V5"), ("proto", "u1"), ("sum", ">u2"), ("src", ">u4"),
    ("dst", ">u4"), ("src_port", ">u2"), ("dst_port", ">u2"), ("datagram", ">u2"), ("check", ">u2"), ("load", "V4"),
])  # fmt: skip
"""A packet of UDP over IPv4, as a capture has it."""


def netflow(place: Path, number: int) -> None:
    """As many flows as NetFlow files of an hour each, made of captures by nfpcapd."""
    random = numpy.random.default_rng(7)
    for hour in range(HOURS):
        packets = numpy.zeros(number // HOURS, PACKET)
        count = len(packets)
        packets["second"] = DAY + hour * 3600 + numpy.arange(count) * 3500 // count
        packets["micros"] = random.integers(0, 10**6, count)
        packets["kept"] = packets["size"] = PACKET.itemsize - 16
        packets["kind"], packets["version"], packets["length"], packets["proto"] = 0x0800, 0x4500, 32, 17
        packets["lifetime"], packets["datagram"] = b"\0\0\0\0\x40", 12
        packets["src"] = (10 << 24) + random.integers(0, 200_000, count)
        packets["dst"] = (198 << 24) + random.integers(0, 25_000, count)
        packets["src_port"], packets["dst_port"] = random.integers(1024, 60_000, count), 53
        capture, made = place / "packets", place / "made"
        made.mkdir()
        head = bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000")
        capture.write_bytes(head + packets.tobytes())
        command = ["nfpcapd", "-r", str(capture), "-w", str(made), "-t", "86400"]
        subprocess.run(command, check=True, capture_output=True)  # with our own files
        (found,) = made.rglob("nfcapd.2*")
        found.rename(place / f"nfcapd.2024051400{hour:02d}")
        shutil.rmtree(made)
        capture.unlink()


def beside_nfdump(place: Path, number: int, report: Report) -> None:
    """The ten largest destinations of as many flows, by nfdump and by us."""
    folder = place / "netflow"
    folder.mkdir()
    netflow(folder, number)
    command = ["nfdump", "-R", str(folder), "-s", "dstip/bytes", "-n", "10"]
    theirs = [seconds(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(3)]  # ours
    settings = Settings(
        cache=["memory://"], products=[f"file://{place}/netflow-products"], plugins={"flow": {"directory": str(folder)}}
    )
    with Runtime(settings) as runtime, using(runtime):
        report.line("reading them as NetFlow", seconds(lambda: Inventory.of(to_source("default").repository)), "s")
        top(over="proto")  # finds the versions of the operations, once in a process
        first = seconds(lambda: top(over="dst"))
        asked = [seconds(lambda n=n: top(over="dst", n=n)) for n in (11, 12, 13)]
    report.line("nfdump's ten largest, median", statistics.median(theirs), "s")
    report.line("ours, the first question over a column", first, "s")
    report.line("  the one by the other", first / statistics.median(theirs), "", NFDUMP_RATIO)
    report.line("ours, another one, a miss, median", statistics.median(asked), "s")
    report.line("  the one by the other", statistics.median(asked) / statistics.median(theirs), "", NFDUMP_RATIO)


def small_logs(place: Path, report: Report) -> None:
    """Ten thousand logs of ten flows each: the first question, and hits."""
    folder = place / "small"
    folder.mkdir()
    head = "#separator \\x09\n#path\tconn\n#fields\t" + "\t".join(FIELDS.split()) + "\n"
    for log in range(SMALL_LOGS):
        times = [DAY + (log * 10 + flow) * 86400 / (SMALL_LOGS * 10) for flow in range(10)]
        flows = [
            f"{time:.6f}\tC{log}x{flow}\t10.0.{log % 250}.{flow}\t{1024 + flow}\t198.51.100.7\t443\ttcp\tssl\t1.5\tSF\t"
            "5\t500\t6\t700\n"
            for flow, time in enumerate(times)
        ]
        (folder / f"conn.{log:05d}.log").write_text(head + "".join(flows))
    settings = Settings(
        cache=["memory://", f"file://{place}/small-cache"], products=[f"file://{place}/small-products"],
        plugins={"flow": {"directory": str(folder)}},
    )  # fmt: skip
    with Runtime(settings) as runtime, using(runtime):
        report.line(f"{SMALL_LOGS} small logs, the first question", seconds(top), "s", COLD_SECONDS)
        report.line("  a hit, median", statistics.median(seconds(top) for _ in range(ROUNDS)), "s", WARM_SECONDS)


class Report:
    """Prints each figure beside its limit, and remembers whether one is over it."""

    def __init__(self) -> None:
        self.is_over = False

    def line(self, what: str, figure: float, unit: str, limit: float | None = None) -> None:
        """One figure."""
        bound = "" if limit is None else f"   at most {limit:g}: {'yes' if figure <= limit else 'NO'}"
        self.is_over |= limit is not None and figure > limit
        print(f"{what:52} {figure:9.3f} {unit:3}{bound}", flush=True)


def measure(place: Path, number: int, report: Report) -> None:
    """The whole run."""
    (place / "logs").mkdir()
    (place / "by-hand").mkdir()
    load(place / "few")
    logs = generate(place / "logs", number)
    theirs = seconds(lambda: copied(logs, place / "by-hand"))
    settings = Settings(
        cache=["memory://", f"file://{place}/cache"],
        products=[f"file://{place}/products"],
        plugins={"flow": {"directory": str(place / "logs")}},
    )
    with Runtime(settings) as runtime, using(runtime):
        ours = seconds(lambda: Inventory.of(to_source("default").repository))
        report.line(f"COPY of {number} flows by DuckDB alone", theirs, "s")
        report.line("reading them in", ours, "s")
        report.line("  the one by the other", ours / theirs, "", INGEST_RATIO)
        files = [str(ingest(part.piece)) for part in Inventory.of(to_source("default").repository).parts]
        for name, ask in ASKED.items():
            asked, same = [], []
            for _ in range(ROUNDS):
                same.append(seconds(lambda name=name: by_hand(files, BY_HAND[name])))
                for operation in ("ranked", "grouped", "counted"):
                    for key in list(runtime.cache.backend.keys(f"flow/silk.tools:{operation}/")):
                        runtime.cache.backend.delete(key)
                asked.append(seconds(ask))
            report.line(f"{name}, the same SQL by hand, median", statistics.median(same), "s")
            report.line(f"{name}, a miss, median", statistics.median(asked), "s")
            report.line("  the one by the other", statistics.median(asked) / statistics.median(same), "", QUERY_RATIO)
        flows = rwfilter(dport="80,443")
        hits = [seconds(lambda: rwstats(flows, fields="dip", values="bytes,records", count=10)) for _ in range(200)]
        report.line("a hit in the process, median", statistics.median(hits) * 1000, "ms", HIT_MS)
    small_logs(place, report)
    if shutil.which("nfdump") and shutil.which("nfpcapd"):
        beside_nfdump(place, number, report)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    report.line("memory of all this at its peak", used, "MB", MEMORY_MB)


def main() -> None:
    """Measures, prints, and exits with 1 when a figure is over its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flows", type=int, default=10_000_000)
    arguments = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="rave-flow-bench-") as place:
        measure(Path(place), arguments.flows, report)
    sys.exit(int(report.is_over))


if __name__ == "__main__":
    main()
