"""The service under mixed load, while it is reloaded, edited and killed: `make soak`.

Clients of all kinds ask a real service for everything that it offers, and check every answer. A calm phase first shows
whether its workers grow. Then the service gets HUP every 30 s and loses a worker to SIGKILL about every 20 s, and the
code of a namespace changes all the time, now and then into something that does not load. These are wrong:

- a ticket that does not end in time in its product or a documented problem;
- a product that is not that of its arguments and its version; of an edited namespace, the old version for more than
  2 s after every worker has reported the new one;
- a 5xx other than a documented 503 or 504 (the operations' own failures are 500, and intended);
- a connection that ends early, unless its worker was killed just then, or, at a reload, it had been used before;
- a body that runs again, though its worker was not killed;
- a call that kills its worker, and is not a failure after two of them; half of a request that keeps its connection;
- a well-behaved client whose hits take over three times as long, at the 99th percentile, while one client floods the
  service, others stall, and all the rest goes on, as under the same load without these;
- a worker whose memory grows by more than a fifth of what it was after its first minute (in shorter runs, by a half),
  descriptors that stay open, and processes that are left over.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
import traceback
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from running import Started, start_service
from soaking import acts, leaving, sources, tickets
from soaking.acts import Act, Actor
from soaking.asking import Client, CutError, Tally, WrongError
from soaking.chaos import Chaos, Editor, Moments
from soaking.editions import Editions
from soaking.hostile import Hostile
from soaking.judging import cut_complaints, mistakes, poison_complaints, poisoned, repeated_runs
from soaking.steady import Steady
from soaking.watching import MARK, Memory, Watch, descriptors, descriptors_left, orphans

SETTINGS: Final = {
    "workers": 2,
    "queue": 40,
    "grace": 10,
    "header_time": 5,
    "memory": "2MiB",
    "anonymous": ["view", "run", "refresh", "purge", "metrics"],
    "operations": {"lab/heavy": {"executor": "processes"}},
}
MEMORY: Final = "2MiB"
"""The memory tier's size: so little that it is full well within a minute."""

PAUSE: Final = 0.01
"""Seconds, on average, between two acts of one client."""

WARM_UP: Final = 5.0
ALONE: Final = 10.0
"""Seconds for which the well-behaved client is alone."""
SLOWER: Final = 3.0
SETTLE: Final = 7.0
"""Seconds after which no connection is still kept."""

ACTS: Final[tuple[tuple[int, Act], ...]] = (
    *((30, acts.hit), (8, acts.miss), (6, acts.post), (4, acts.head), (6, acts.document), (6, acts.part)),
    *((4, acts.condition), (4, acts.table), (6, acts.brief), (2, acts.failure), (3, acts.only_kept)),
    *((2, acts.refresh), (2, acts.heavy), (8, acts.edition), (3, acts.look_around), (4, acts.wrong_request)),
    *((4, tickets.ticket), (2, tickets.shared_ticket), (3, tickets.wait), (3, tickets.events)),
    *((3, tickets.edited_ticket), (1, tickets.failing_ticket), (4, leaving.leave)),
)


@dataclass
class Soak:
    """One run.

    Attributes:
        mark: identifies every process of the service.
        clients: how many ask at once.
        minutes: of load, in all.
        phase: how often load has begun.
    """

    service: Started
    mark: str
    seed: int
    clients: int
    minutes: float
    tally: Tally = field(default_factory=Tally)
    moments: Moments = field(default_factory=Moments)
    editions: Editions = field(default_factory=Editions)
    phase: int = 0
    calm: Watch = field(init=False)
    disturbed: Watch = field(init=False)
    alone: Steady = field(init=False)
    among_calm: Steady = field(init=False)
    among_hostile: Steady = field(init=False)

    def __post_init__(self) -> None:
        self.alone, self.among_calm, self.among_hostile = (Steady(self.service.port) for _ in range(3))
        self.calm, self.disturbed = Watch(self.service), Watch(self.service)

    @property
    def calm_seconds(self) -> float:
        """How long no worker is replaced: a third of the time, and at most half of it in short runs."""
        return min(max(self.minutes * 20, 60.0), self.minutes * 30)

    def run(self) -> dict[str, Any]:
        """Does everything, and returns the report."""
        self._load(WARM_UP)  # so that everything has been used once
        time.sleep(SETTLE)
        self.alone.run(ALONE)
        before = max(descriptors(self.service).values())
        editor = Editor(self.service, self.editions, self.tally.wrong)
        chaos = Chaos(self.service, self.moments, random.Random(self.seed))
        hostile = Hostile(self.service.port, self.tally, header_time=SETTINGS["header_time"])
        following = self.among_calm.start(self.calm_seconds)
        self._load(self.calm_seconds, self.calm.run, editor.run)
        following.join()
        complaints = descriptors_left(self.service, before)
        rest = self.minutes * 60 - self.calm_seconds
        following = self.among_hostile.start(rest)
        self._load(rest, self.disturbed.run, chaos.run, editor.run, *hostile.acts())
        following.join()
        complaints += descriptors_left(self.service, before) + orphans(self.service, self.mark)
        self.service.stop()
        complaints += orphans(self.service, self.mark)
        return self._report(complaints)

    def _load(self, seconds: float, *others: Callable[[threading.Event], None]) -> None:
        """Runs all clients for some time, with ``others`` beside them."""
        stopped = threading.Event()
        self.phase += 1
        clients = [
            partial(self._ask, f"{self.seed}-{self.phase}-{number}", f"127.0.1.{number % 250 + 1}")
            for number in range(self.clients)
        ]
        threads = [
            threading.Thread(target=self._guarded, args=(job, stopped), daemon=True) for job in (*clients, *others)
        ]
        for thread in threads:
            thread.start()
        stopped.wait(seconds)
        stopped.set()
        for thread in threads:
            thread.join()

    def _guarded(self, job: Callable[[threading.Event], None], stopped: threading.Event) -> None:
        try:
            job(stopped)
        except Exception:  # noqa: BLE001  # the others go on, and the report tells of it
            self.tally.wrong(f"the soak itself failed: {traceback.format_exc()}")

    def _ask(self, name: str, address: str, stopped: threading.Event) -> None:
        """One client with its own address: one act after another. Each act ends by itself, even when time is up."""
        weights, choices = zip(*ACTS, strict=True)
        actor = Actor(Client(self.service.port, self.tally, address), self.editions, random.Random(name), name)
        while not stopped.is_set():
            act = actor.chance.choices(choices, weights)[0]
            actor.client.act = act.__name__
            try:
                end = act(actor)
            except CutError:
                end = "cut"
            except WrongError as error:
                end = "wrong"
                self.tally.wrong(f"{act.__name__}: {error}")
            self.tally.act(act.__name__, end)
            stopped.wait(actor.chance.expovariate(1 / PAUSE))
        actor.client.close()

    def _report(self, complaints: list[str]) -> dict[str, Any]:
        log = self.service.place / "runs.log"
        self.moments.kills += poisoned(log)
        complaints += poison_complaints(log) + self._delays()
        cuts, cut_wrongs = cut_complaints(self.tally.cuts, self.moments)
        runs, again, run_wrongs = repeated_runs(log, self.moments)
        memory = Memory.of(self.calm.lives.values(), min(60.0, self.calm_seconds / 2))
        most = max((life.peak(0.0) for life in self.disturbed.lives.values()), default=0)
        if len(self.calm.lives) != SETTINGS["workers"]:
            complaints.append(f"a worker was replaced, though nobody touched any: {sorted(self.calm.lives)}")
        return {
            **self._figures(),
            "ended_connections": cuts,
            "bodies": {"ran": runs, "ran_again_after_a_kill": again},
            "memory": memory.document(),
            "workers_after_disturbances": {"seen": len(self.disturbed.lives), "largest_MB": round(most / 1e6, 2)},
            "wrong": [
                *(*self.tally.wrongs, *cut_wrongs, *run_wrongs, *complaints, *memory.complaints(most)),
                *(f"the log tells of a mistake: {record}" for record in mistakes(self.service.log)),
            ],
        }

    def _delays(self) -> list[str]:
        """What is wrong about the well-behaved client's times."""
        steady = (self.alone, self.among_calm, self.among_hostile)
        found = [f"the well-behaved client: {each.error}" for each in steady if each.error]
        quiet, slow = self.among_calm.percentile(99), self.among_hostile.percentile(99)
        if slow > SLOWER * quiet:
            found.append(f"99 % of a well-behaved client's hits took up to {slow:.1f} ms, {quiet:.1f} ms before")
        return found

    def _figures(self) -> dict[str, Any]:
        """What was counted and timed."""
        hits = sorted(self.tally.hits) or [0.0]
        delays = self.editions.delays or [0.0]
        return {
            "minutes": self.minutes,
            "seed": self.seed,
            "requests": sum(self.tally.statuses.values()),
            "statuses": dict(sorted(self.tally.statuses.items())),
            "acts": {name: dict(sorted(ends.items())) for name, ends in sorted(self.tally.acts.items())},
            "disturbances": {
                "hups": len(self.moments.hups),
                "kills": len(self.moments.kills),
                "edits": len(delays),
                "broken_edits": self.editions.breaks,
            },
            "edit_served_everywhere_s": {"median": round(statistics.median(delays), 2), "worst": round(max(delays), 2)},
            "well_behaved_hit_ms": {
                name: {f"p{percent}": round(each.percentile(percent), 2) for percent in (50, 99)}
                for name, each in (
                    ("alone", self.alone),
                    ("calm", self.among_calm),
                    ("hostile", self.among_hostile),
                )
            },
            "hit_ms": {"p50": round(hits[len(hits) // 2] * 1e3, 2), "p99": round(hits[len(hits) * 99 // 100] * 1e3, 2)},
        }


def soak(minutes: float, seed: int, clients: int) -> dict[str, Any]:
    """Runs one soak in a directory of its own, which stays if anything went wrong."""
    place = Path(tempfile.mkdtemp(prefix="rave-soak-"))
    mark = uuid.uuid4().hex
    namespaces = {"lab": sources.LAB, "trial": sources.trial(1)}
    with start_service(place, namespaces, SETTINGS, memory=MEMORY, environ={MARK: mark}) as service:
        report = Soak(service, mark, seed, clients, minutes).run()
    if report["wrong"]:
        print(f"the service's things stay in {place}", file=sys.stderr)
    else:
        shutil.rmtree(place)
    return report


def main() -> int:
    """Prints the report, with ``--json`` as JSON; 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=15.0, help="of load")
    parser.add_argument("--seed", type=int, default=1, help="of every chance")
    parser.add_argument("--clients", type=int, default=10, help="that ask at once")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the service also ends
    report = soak(given.minutes, given.seed, given.clients)
    if given.json:
        print(json.dumps(report, indent=2))
    else:
        for name, value in report.items():
            if name != "wrong":
                print(f"{name:24} {json.dumps(value)}")
        for complaint, count in Counter(report["wrong"]).most_common(50):
            print(f"WRONG {f'({count} times) ' if count > 1 else ''}{complaint}")
        print("wrong: nothing" if not report["wrong"] else f"wrong: {len(report['wrong'])}")
    return 1 if report["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
