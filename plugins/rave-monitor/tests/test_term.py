"""A monitor that runs: what stops a part of it stops nothing else, and nothing that was read is lost."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import pytest
from rave_monitor.checkpoint import Checkpoint, Sample
from rave_monitor.configuration import MonitorConfig
from rave_monitor.monitor import Monitor
from rave_monitor.term import Term

from rave_core import Runtime
from rave_core.errors import FenceError
from rave_core.testing import FakeClock

pytestmark = pytest.mark.filterwarnings("ignore::rave_core.RaveWarning")
CODE = """
import threading
from rave_monitor import Abort, Processor


class Odd(Processor):
    def event(self, ev):
        if ev["line"] == "bad":
            raise {raised}("odd")

    def sample(self):
        {sample}


class Total(Processor):
    def __init__(self, *, weight: int = 1):
        self.n, self.weight = 0, weight

    def event(self, ev):
        self.n += self.weight

    def sample(self):
        return {{"total": self.n}}

    def state(self):
        return str(self.n).encode()

    def restore(self, state):
        self.n = int(state)
"""
ODD = """
[[processors]]
kind = "odd_code:Odd"
name = "odd"

[[processors]]
kind = "odd_code:Total"
name = "total"
"""
Start = Callable[[], Monitor]


def write_code(place: Any, raised: str = "ValueError", sample: str = "return {}", more: str = "") -> None:
    """Writes the module of the processors."""
    (place.directory / "odd_code.py").write_text(CODE.format(raised=raised, sample=sample) + more)


@pytest.fixture
def odd(place: Any) -> Any:
    """A place with processors of its own."""
    place.configure(place.counting + ODD)
    write_code(place)
    return place


def test_what_happens_is_heard_in_the_process_of_the_monitor(odd: Any, start: Start) -> None:
    """Also where the configuration names a database of its own."""
    heard = []
    monitor = start()
    monitor._runtime.events.subscribe("*", lambda event: heard.append((event.topic, event.data.get("processor"))))
    odd.append("bad")
    odd.wait(lambda: {("sample.taken", "total"), ("monitor.disabled", "odd")} <= set(heard))


def test_an_exception_disables_one_processor_until_the_next_reload(odd: Any, start: Start) -> None:
    """The others go on, even if it exits. New code goes on from the last good state."""
    write_code(odd, raised="SystemExit")
    monitor = start()
    odd.append("good", "bad", "good")
    odd.counts(3)
    assert odd.wait(lambda: odd.processor("odd").get("error")) == "event() failed: SystemExit: odd"
    write_code(odd, raised="Abort")
    monitor.reload()
    odd.wait(lambda: odd.status().get("reloads") == 1)
    odd.append("bad", "good")
    odd.counts(5)
    odd.wait(lambda: odd.processor("odd").get("notice") == "odd")
    assert not odd.processor("odd")["error"]
    assert odd.latest("total") == {"total": 5}


@pytest.mark.parametrize(
    ("sample", "told"),
    [
        ("raise KeyError('gone')", "sample() failed: KeyError: 'gone'"),
        ("raise KeyboardInterrupt('no')", "sample() failed: KeyboardInterrupt: no"),
        ("return [1]", "expected a dict of values that JSON has"),
        ("return {'a': object()}", "expected a dict of values that JSON has"),
    ],
)
def test_a_sample_that_fails_disables_one_processor(odd: Any, start: Start, sample: str, told: str) -> None:
    """And the others are sampled."""
    write_code(odd, sample=sample)
    odd.append("good")
    start()
    odd.counts(1)
    assert told in odd.wait(lambda: odd.processor("odd").get("error"))


def test_a_sample_that_never_ends_holds_nothing_up(odd: Any, start: Start) -> None:
    """It is told once it is over its limit."""
    odd.configure('sample_limit = "0.1s"\n' + odd.counting + ODD)
    write_code(odd, sample="threading.Event().wait()")
    odd.append("good")
    start()
    odd.counts(1)
    odd.append("good")
    odd.counts(2)
    assert "longer than 0.1 s" in odd.wait(lambda: odd.processor("odd").get("notice"))


@pytest.mark.parametrize(
    ("code", "config", "told"),
    [
        ("def broken(:", "", "can't be imported"),
        ("\ndel Odd", "", "has no 'Odd'"),
        ("\n    def load(self, old):\n        raise SystemExit('no')", "", "'total' can't take over"),
        ("\n    def __init__(self):\n        exit(3)", "", "odd_code:Total: SystemExit: 3"),
        ("", "colour = 1\n", "unknown key 'colour'"),
        ("", 'name = "other"\n', "can't change while it runs"),
    ],
)
def test_a_reload_that_fails_leaves_the_old_running(odd: Any, start: Start, code: str, config: str, told: str) -> None:
    """Code, states and configuration alike; the status says why."""
    monitor = start()
    odd.append("good")
    odd.counts(1)
    write_code(odd, more=code)
    odd.configure(config + odd.counting + ODD)
    monitor.reload()
    assert told in odd.wait(lambda: odd.status().get("reload_error"))
    odd.append("good")
    odd.counts(2)
    assert odd.latest("total") == {"total": 2}


def test_a_reload_takes_new_arguments_and_processors(odd: Any, start: Start) -> None:
    """States go on by name and kind; a new processor starts fresh."""
    monitor = start()
    odd.append("good")
    odd.counts(1)
    odd.configure(odd.counting + ODD + 'weight = 10\n[[processors]]\nkind = "odd_code:Total"\nname = "new"\n')
    monitor.reload()
    odd.wait(lambda: odd.processor("new"))
    odd.append("good")
    odd.counts(2)
    odd.wait(lambda: odd.latest("new") == {"total": 1})
    assert odd.latest("total") == {"total": 11}


def test_nothing_is_lost_while_the_database_is_away(place: Any, start: Start) -> None:
    """Samples wait, and so does the checkpoint."""
    place.append("1")
    start()
    place.counts(1)
    before = len(place.store.samples("count", 0, 1e12))
    lock = sqlite3.connect(place.directory / "monitor.sqlite", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    place.append("2", "3")
    monitored = place.directory / "app.log"
    place.wait(lambda: monitored.stat().st_size > 0)
    for _ in range(10):  # some periods pass
        lock.execute("SELECT 1")
    lock.execute("ROLLBACK")
    lock.close()
    place.counts(3)
    times = [each.time for each in place.store.samples("count", 0, 1e12)]
    assert len(set(times)) == len(times) > before


def test_a_clock_that_goes_back_is_told(place: Any) -> None:
    """In the status."""
    clock = FakeClock()
    with Runtime(place.settings, clock=clock) as runtime:
        term = Term(MonitorConfig.load(place.config), place.store, 1, runtime)
        course = iter((0.0, 0.0, -3600.0))

        def goes_on() -> bool:
            clock.advance(1.0)
            clock.jump(next(course, 0.0))
            return not term.status()["notices"] and clock.monotonic() < 20.0

        term.run(goes_on, threading.Event(), threading.Event())
    assert "the clock went back by 3599.0 s" in str(term.status()["notices"])


def test_an_event_that_never_ends_is_told(odd: Any, start: Start) -> None:
    """As a trouble, for as long as it holds everything up."""
    odd.configure('sample_limit = "0.05s"\n' + odd.counting + ODD)
    go_on = odd.directory / "go_on"
    wait = f"while not Path({str(go_on)!r}).exists():\n            threading.Event().wait(0.02)"
    write_code(odd, more=f"\n\n\nfrom pathlib import Path\nclass Odd(Odd):\n    def event(self, ev):\n        {wait}\n")
    monitor = start()
    odd.append("good")
    assert "'odd' has looked at some events" in odd.wait(lambda: monitor.trouble)
    go_on.touch()
    odd.counts(1)
    odd.wait(lambda: monitor.trouble is None)


def test_two_monitors_take_one_sample_in_a_period(place: Any, start: Start) -> None:
    """One leads; when it stops, the other goes on from where it was."""
    place.append(*map(str, range(100)))
    first = start()
    place.counts(100)
    start()
    first.stop()
    place.append("more")
    place.counts(101)
    times = [each.time for each in place.store.samples("count", 0, 1e12)]
    assert len(set(times)) == len(times)


def test_a_leader_from_before_writes_nothing(place: Any) -> None:
    """Its fence is an older one."""
    sample = [Sample("count", 1.0, {"n": 1})]
    place.store.claim(7)
    place.store.commit(7, Checkpoint(events=5), sample, {})
    assert place.store.claim(8).events == 5
    with pytest.raises(FenceError):
        place.store.commit(7, Checkpoint(events=6), [Sample("count", 2.0, {"n": 2})], {})
    with pytest.raises(FenceError):
        place.store.claim(7)
    assert place.store.samples("count", 0, 10) == sample
    place.store.commit(8, Checkpoint(events=6), sample, {})
    assert len(place.store.samples("count", 0, 10)) == 1
