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
from rave_monitor.monitor import Monitor
from rave_monitor.operations import samples
from rave_monitor.processors.counter import Counter
from rave_monitor.processors.rates import Rates
from rave_monitor.processors.sketches import Distinct, Quantiles, Top
from rave_monitor.sample_database import SampleDatabase
from rave_monitor.sample_store import SampleStore

from rave_core import Runtime, Settings, using

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


def memory_over_days(days: int) -> list[tuple[int, int]]:
    """MiB of the process and bytes of all states after each fifth of some simulated days, at a sample each minute."""
    chosen, found = random.Random(2), []
    processors = [Counter(), Rates(by="host"), Distinct(field="host"), Top(field="host"), Quantiles(field="size")]
    for day in range(1, days + 1):
        for _ in range(1440):
            for _ in range(20):
                event = {"host": f"h{int(chosen.paretovariate(0.3)) % 10**9}", "size": chosen.random()}
                for each in processors:
                    each.event(event)
            for each in processors:
                each.elapsed = 60.0
                each.sample()
        if day % max(days // 5, 1) == 0:
            gc.collect()
            states = sum(len(each.state()) for each in processors)
            found.append((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10, states))
    return found


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=30)
    given = parser.parse_args()
    for memory, states in memory_over_days(given.days):
        print(f"after another {given.days // 5} simulated days: at most {memory} MiB, states {states:,} bytes")
    with tempfile.TemporaryDirectory() as place:
        print(
            f"events in a second of CPU, Zeek, three processors: {events_in_a_second(Path(place), given.events):,.0f}"
        )
    with tempfile.TemporaryDirectory() as place:
        cold, kept = queries_of_a_week(Path(place))
        print(f"an hour out of a week at one sample a second: {cold:.1f} ms cold, {kept:.2f} ms kept")


if __name__ == "__main__":
    main()
