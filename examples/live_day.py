"""Plays a generated day again, as a Zeek that runs would write it: ``live_day.py DAY LOG``.

DAY is a directory with a gzip log for each hour. LOG grows as the day goes on, and is rotated after each hour, as Zeek
does: ``conn.log`` becomes ``conn.00.log``, and another one begins.
"""

from __future__ import annotations

import argparse
import gzip
import time
from collections.abc import Iterator
from pathlib import Path

HOUR, DAY = 3600.0, 86400.0
TICK = 0.2
"""Seconds between writes."""


def batches(lines: list[bytes], number: int, ticks: int) -> Iterator[list[bytes]]:
    """The lines of an hour of the day, cut by the times in their first column into as many batches.

    They stay in their order, which is that of the ends of flows: one that began long before comes when its turn is.
    """
    cut: list[list[bytes]] = [[] for _ in range(ticks)]
    at = 0
    for line in lines:
        if not line.startswith(b"#"):
            seconds = float(line.partition(b"\t")[0]) % DAY - number * HOUR
            at = max(at, min(int(seconds / HOUR * ticks), ticks - 1))
        cut[at].append(line)
    return iter(cut)


def play(day: Path, log: Path, minutes: float) -> None:
    """Writes the day into a log within some minutes; with 0 at once."""
    hours = sorted(day.glob("*.log.gz"))
    ticks = max(round(minutes * 60 / max(len(hours), 1) / TICK), 1)
    log.parent.mkdir(parents=True, exist_ok=True)
    due = time.monotonic()
    for number, hour in enumerate(hours):
        with log.open("wb", buffering=0) as file:
            for batch in batches(gzip.decompress(hour.read_bytes()).splitlines(keepends=True), number, ticks):
                file.write(b"".join(batch))
                due += TICK if minutes else 0.0
                time.sleep(max(due - time.monotonic(), 0.0))
        log.rename(log.with_name(f"{log.stem}.{number:02d}{log.suffix}"))


def main() -> None:
    """Plays what the command line names."""
    parser = argparse.ArgumentParser(description="Plays a generated day again, as a Zeek that runs would write it.")
    parser.add_argument("day", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("--minutes", type=float, default=6.0, help="how long the day takes (6)")
    parser.add_argument("--after", type=Path, help="a file to wait for before it begins")
    given = parser.parse_args()
    while given.after is not None and not given.after.exists():
        time.sleep(TICK)
    play(given.day, given.log, given.minutes)


if __name__ == "__main__":
    main()
