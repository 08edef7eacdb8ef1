"""What a monitor costs: events in a second of CPU, queries of a week of samples, and memory over a simulated month.

python benchmarks/monitor.py [--events N] [--days N] [--period S]

By default there is a sample a minute. A month at a sample a second, ``--period 1``, takes two hours or more.
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
from collections.abc import Callable
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
rules = "alarms"
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
kind = "top"
name = "top"
field = "host"
[[processors]]
kind = "quantiles"
name = "sizes"
field = "size"
[[alarms]]
name = "small"
when = "count.rate < 1"
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
    """Milliseconds of CPU to ask for an hour out of a week of samples each second: cold, and kept."""
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
                began = time.process_time()
                samples("week", "n", start, start + 3600)
                times.append((time.process_time() - began) * 1000)
    return statistics.median(cold), statistics.median(kept)


class MonthClock(Clock):
    """A clock by which whoever waits is at the next sample; until then, lines were written and the log was rotated."""

    def __init__(self, log: Path, store: SampleStore, period: int) -> None:
        self.seconds, self._period, self._log, self._store = 0, period, log, store
        self._lines, self._chosen = max(period // 3, 1), random.Random(2)
        self.at_noon: Callable[[], object] = log.touch

    def now(self) -> float:
        """Unix seconds."""
        return START + self.seconds

    def monotonic(self) -> float:
        """Seconds since the beginning."""
        return float(self.seconds)

    def wait(self, event: threading.Event, _seconds: float) -> bool:
        """Goes on to the next sample; every hour it lets those before be written first."""
        self.seconds += self._period
        if self.seconds % 3600 == 0:
            while (self._store.status() or {"written": 0.0})["written"] < self.now() - 7200:
                time.sleep(0.01)
        if self.seconds % 86400 == 0:
            self._log.rename(self._log.with_name("app.csv.1"))
        if self.seconds % 86400 == 43200:
            self.at_noon()
        with self._log.open("a") as log:
            if not log.tell():
                log.write("host,size\n")
            for _ in range(self._lines):
                log.write(f"h{int(self._chosen.paretovariate(0.3)) % 10**9},{self._chosen.random()}\n")
        return event.is_set()


def memory_over_days(place: Path, days: int, period: int) -> list[str]:
    """A whole monitor over simulated days: what it uses after each sixth of them, which is printed, too.

    Each day the log is rotated, and a rule of alarms in a journal changes.
    """
    (place / "month.toml").write_text(f'sample_period = "{period}s"\n{MONTH}')
    config, found = MonitorConfig.load(place / "month.toml"), list[str]()
    store = SampleStore(SampleDatabase(f"sqlite:///{place}/month.sqlite"), "month")
    clock = MonthClock(place / "app.csv", store, period)
    with Runtime(settings(place), clock=clock) as runtime:
        term = Term(config, store, 1, runtime)
        clock.at_noon = lambda: change_rule(runtime, clock.seconds // 86400)

        def goes_on() -> bool:
            if clock.seconds >= (len(found) + 1) * days * 14400:
                gc.collect()
                database = (place / "month.sqlite").stat().st_size >> 20
                found.append(
                    f"after another {days / 6:g} simulated days: {memory()} MiB, database {database} MiB, "
                    f"{clock.seconds // period:,} samples of each processor, {term.events:,} lines"
                )
                print(found[-1], flush=True)
            return len(found) < 6

        term.run(goes_on, threading.Event(), threading.Event())
        [rule] = [each for each in term.status()["alarms"] if each["name"] == "many"]
        assert rule["when"] == f"count.n > {clock.seconds // 86400 - 1}", rule
    assert term.events == store.samples("count", 0, 1e12, limit=1)[0].values["n"]
    return found


def change_rule(runtime: Runtime, day: int) -> None:
    """Commits the next version of a rule."""
    rule = f'when = "count.n > {day}"'
    runtime.documents.save("journal:alarms", "many", rule.encode(), expect=day, author="benchmark", comment="")


def memory() -> int:
    """MiB that this process uses at present."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() >> 20


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--period", type=int, default=60, help="seconds from one sample to the next in the days")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        memory_over_days(Path(place), given.days, given.period)
    with tempfile.TemporaryDirectory() as place:
        print(
            f"events in a second of CPU, Zeek, three processors: {events_in_a_second(Path(place), given.events):,.0f}"
        )
    with tempfile.TemporaryDirectory() as place:
        cold, kept = queries_of_a_week(Path(place))
        print(f"an hour out of a week at one sample a second: {cold:.1f} ms of CPU cold, {kept:.2f} ms kept")


if __name__ == "__main__":
    main()
