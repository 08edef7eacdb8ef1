"""What a monitor costs: events in a second of CPU, queries of a week of samples, and memory over a simulated month.

python benchmarks/monitor.py [--events N] [--days N]
"""

from __future__ import annotations

import argparse
import gc
import random
import resource
import statistics
import tempfile
import threading
import time
from pathlib import Path

from rave_monitor.checkpoint import Checkpoint, Sample
from rave_monitor.configuration import MonitorConfig
from rave_monitor.monitor import Monitor
from rave_monitor.operations import samples
from rave_monitor.sample_database import SampleDatabase
from rave_monitor.sample_store import SampleStore
from rave_monitor.term import Term

from rave_core import Runtime, Settings, using
from rave_core.clock import Clock

CONFIG = """
sample_period = "1s"
documents = "sqlite:///monitor.sqlite"
[[readers]]
kind = "zeek"
path = "conn.log"
[[processors]]
kind = "counter"
name = "count"
[[processors]]
kind = "top"
name = "talkers"
field = "id.orig_h"
[[processors]]
kind = "quantiles"
name = "durations"
field = "duration"
"""
MONTH = """
name = "month"
sample_period = "1m"
documents = "sqlite:///month.sqlite"
thin_after = "2h"
thin_to = "10m"
keep = "2d"
[[readers]]
kind = "csv"
path = "app.csv"
[[processors]]
kind = "counter"
name = "count"
[[processors]]
kind = "rates"
name = "rates"
by = "host"
[[processors]]
kind = "distinct"
name = "hosts"
field = "host"
[[processors]]
kind = "top"
name = "top"
field = "host"
[[processors]]
kind = "quantiles"
name = "sizes"
field = "size"
[[processors]]
kind = "last"
name = "last"
[[alarms]]
name = "small"
when = "last.size < '0.5'"
"""
HEADER = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n"
    "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\n"
    "#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\n"
)
START = 1_700_000_000.0


def settings(place: Path) -> Settings:
    """Stores in a directory."""
    return Settings(
        cache=["memory://", f"file://{place}/cache"],
        products=[f"file://{place}/products"],
        documents=f"sqlite:///{place}/documents.sqlite",
        plugins={"monitor": {"documents": f"sqlite:///{place}/monitor.sqlite"}},
    )


def events_in_a_second(place: Path, events: int) -> float:
    """How many entries of Zeek's conn.log go through three processors in a second of CPU."""
    chosen = random.Random(1)
    with (place / "conn.log").open("w") as log:
        log.write(HEADER)
        for number in range(events):
            host, duration = f"10.0.{chosen.randrange(8)}.{chosen.randrange(250)}", chosen.expovariate(1)
            log.write(
                f"{START + number}\tC{number}\t{host}\t4{number % 9999}\t10.1.0.1\t443\ttcp\tssl\t{duration:.6f}\t9\n"
            )
    (place / "monitor.toml").write_text(CONFIG)
    store = SampleStore(SampleDatabase(f"sqlite:///{place}/monitor.sqlite"), "monitor")
    with Runtime(settings(place)) as runtime:
        monitor = Monitor(place / "monitor.toml", runtime)
        began = time.process_time()
        thread = threading.Thread(target=monitor.run)
        thread.start()
        while not (found := store.samples("count", 0, 1e12, limit=1)) or found[0].values["n"] < events:
            time.sleep(0.2)
        used = time.process_time() - began
        monitor.stop()
        thread.join()
    return events / used


def queries_of_a_week(place: Path) -> tuple[float, float]:
    """Milliseconds to ask for an hour out of a week of samples each second: cold, and kept."""
    store = SampleStore(SampleDatabase(f"sqlite:///{place}/monitor.sqlite"), "monitor")
    store.claim(10**15)
    for day in range(7):
        begin = START + day * 86400
        rows = [Sample("week", begin + second, {"n": second, "rate": second / 7}) for second in range(86400)]
        store.commit(10**15, Checkpoint(settled=START + 7 * 86400), rows, {})
    cold, kept = [], []
    with Runtime(settings(place)) as runtime, using(runtime):
        samples("week", "n", START, START + 1)
        for hour in range(20):
            start = START + hour * 7200
            for times in (cold, kept):
                began = time.perf_counter()
                samples("week", "n", start, start + 3600)
                times.append((time.perf_counter() - began) * 1000)
    return statistics.median(cold), statistics.median(kept)


class MonthClock(Clock):
    """A clock by which whoever waits is at the next minute; until then, lines were written and the log was rotated."""

    def __init__(self, log: Path, store: SampleStore) -> None:
        self.minutes, self._log, self._store, self._chosen = 0, log, store, random.Random(2)

    def now(self) -> float:
        """Unix seconds."""
        return START + 60.0 * self.minutes

    def monotonic(self) -> float:
        """Seconds since the beginning."""
        return 60.0 * self.minutes

    def wait(self, event: threading.Event, _seconds: float) -> bool:
        """Goes on to the next minute; every hour it lets the samples be written first."""
        self.minutes += 1
        if self.minutes % 60 == 0:
            while (self._store.status() or {"written": 0.0})["written"] < self.now() - 7200:
                time.sleep(0.01)
        if self.minutes % 1440 == 0:
            self._log.rename(self._log.with_name("app.csv.1"))
        with self._log.open("a") as log:
            if not log.tell():
                log.write("host,size\n")
            for _ in range(20):
                log.write(f"h{int(self._chosen.paretovariate(0.3)) % 10**9},{self._chosen.random()}\n")
        return event.is_set()


def memory_over_days(place: Path, days: int) -> list[tuple[int, int, int]]:
    """A whole monitor over simulated days, at a sample each minute: MiB in use and of its database, and lines counted.

    There is a figure for each sixth of the days.
    """
    (place / "month.toml").write_text(MONTH)
    config, found = MonitorConfig.load(place / "month.toml"), list[tuple[int, int, int]]()
    store = SampleStore(SampleDatabase(f"sqlite:///{place}/month.sqlite"), "month")
    clock = MonthClock(place / "app.csv", store)
    with Runtime(settings(place), clock=clock) as runtime:
        term = Term(config, store, 1, runtime)

        def goes_on() -> bool:
            if clock.minutes >= (len(found) + 1) * days * 240:
                gc.collect()
                found.append((memory(), (place / "month.sqlite").stat().st_size >> 20, term.events))
            return len(found) < 6

        term.run(goes_on, threading.Event(), threading.Event())
    assert found[-1][2] == store.samples("count", 0, 1e12, limit=1)[0].values["n"]
    return found


def memory() -> int:
    """MiB that this process uses at present."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() >> 20


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        for used, kept, lines in memory_over_days(Path(place), given.days):
            print(f"after another {given.days / 6:g} simulated days: {used} MiB, database {kept} MiB, {lines:,} lines")
    with tempfile.TemporaryDirectory() as place:
        print(
            f"events in a second of CPU, Zeek, three processors: {events_in_a_second(Path(place), given.events):,.0f}"
        )
    with tempfile.TemporaryDirectory() as place:
        cold, kept = queries_of_a_week(Path(place))
        print(f"an hour out of a week at one sample a second: {cold:.1f} ms cold, {kept:.2f} ms kept")


if __name__ == "__main__":
    main()
