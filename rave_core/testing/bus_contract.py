"""The contract of buses: what `rave_core.events` needs of them. Subclass it, and say how one is opened."""

from __future__ import annotations

import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import pytest

from rave_core.clock import SystemClock
from rave_core.events import Bus, Event, Events, Loss

_PATIENCE = 2000  # hundredths of a second

_PUBLISHER = """
import sys
from rave_core import Runtime, Settings
runtime = Runtime(Settings(cache="memory://", events=sys.argv[1]))
for number in range(int(sys.argv[2])):
    runtime.events.publish("test.other", {"n": number})
runtime.close()
"""


class BusContract(ABC):
    """Tests of a bus. They need a server, or whatever carries the messages, that other tests do not use meanwhile."""

    @abstractmethod
    def open_bus(self) -> Bus:
        """A new bus; all that are opened during one test reach each other."""

    def url(self) -> str | None:
        """The URL for the setting ``events`` by which another process opens it; ``None`` if it can't."""
        return None

    @pytest.fixture
    def open_events(self) -> Iterator[Callable[[], Events]]:
        """Opens events as another process would have them."""
        opened: list[Events] = []

        def make() -> Events:
            opened.append(Events(SystemClock(), self.open_bus))
            return opened[-1]

        yield make
        for each in opened:
            each.close()

    def test_an_event_reaches_all_other_processes_once(self, open_events: Callable[[], Events]) -> None:
        """In order, whichever publishes; its own process gets it directly, and not again."""
        here, there, third = open_events(), open_events(), open_events()
        heard = [Heard(each) for each in (here, there, third)]
        settle(here, heard)
        settle(there, heard)
        for number in range(20):
            (here, there)[number % 2].publish("test.n", {"n": number})
        for each in heard:
            each.wait(lambda each: len(each.numbers) == 20)
            assert sorted(each.numbers) == list(range(20))
            assert [n for n in each.numbers if n % 2] == list(range(1, 20, 2))
            assert not each.losses

    def test_what_nobody_subscribed_to_reaches_nobody(self, open_events: Callable[[], Events]) -> None:
        """Only topics that match, though all processes share the bus."""
        here, there = open_events(), open_events()
        heard = Heard(there, "test.n", "test.settle")
        settle(here, [heard])
        here.publish("test.other", {"n": 1})
        here.publish("test.n", {"n": 2})
        heard.wait(lambda each: each.numbers == [2])

    def test_any_text_and_size_arrives_unchanged(self, open_events: Callable[[], Events]) -> None:
        """Line ends, quotes and letters of all languages; half of what a message may hold."""
        here, there = open_events(), open_events()
        heard = Heard(there)
        settle(here, [heard])
        texts = ["", "two\nlines\r\n", "'\"\\;--$1", "ÄÖÜ 東京 \N{GRINNING FACE}", "x" * 3000]
        for text in texts:
            here.publish("test.n", {"n": 0, "text": text})
        heard.wait(lambda each: len(each.events) == len(texts))
        assert [event.data["text"] for event in heard.events] == texts

    def test_a_storm_loses_only_what_it_says(self, open_events: Callable[[], Events]) -> None:
        """Publishing never waits for the bus; what arrives and what is said to be lost is everything."""
        here, there = open_events(), open_events()
        heard = Heard(there, queue=100_000)
        settle(here, [heard])
        for number in range(30_000):
            here.publish("test.n", {"n": number})
        heard.wait(lambda each: each.numbers and each.numbers[-1] == 29_999)
        lost = sum(loss.count or 0 for loss in heard.losses)
        assert len(heard.numbers) + lost == 30_000
        assert heard.numbers == sorted(heard.numbers)

    def test_closing_twice_is_harmless(self) -> None:
        """Also before it was used."""
        bus = self.open_bus()
        bus.close()
        bus.close()

    def test_a_process_that_only_publishes_loses_nothing_at_its_end(self, open_events: Callable[[], Events]) -> None:
        """Closing a runtime sends what waits."""
        url = self.url()
        if url is None:
            return
        here, there = open_events(), open_events()
        heard = Heard(there, "test.*")
        settle(here, [heard])
        subprocess.run([sys.executable, "-c", _PUBLISHER, url, "500"], check=True)  # noqa: S603  # our own program
        heard.wait(lambda each: each.numbers == list(range(500)))


class Heard:
    """What a subscriber heard, without the events by which a test waits until it hears."""

    def __init__(self, events: Events, *topics: str, queue: int = 1000) -> None:
        self.events: list[Event] = []
        self.losses: list[Loss] = []
        self.settled: set[str] = set()
        self._news = threading.Condition()
        events.subscribe(topics or "test.*", self._take, on_lost=self._miss, queue=queue)

    @property
    def numbers(self) -> list[int]:
        """The numbers in the events."""
        return [event.data["n"] for event in self.events]

    def wait(self, condition: Callable[[Heard], object]) -> None:
        """Waits until it heard enough.

        Raises:
            AssertionError: it does not, within 20 seconds.
        """
        with self._news:
            done = self._news.wait_for(lambda: condition(self), _PATIENCE / 100)
        assert done, f"heard {self.numbers[-5:]}, {len(self.events)} in all, and lost {self.losses}"

    def _take(self, event: Event) -> None:
        with self._news:
            if event.topic == "test.settle":
                self.settled.add(event.origin)
            else:
                self.events.append(event)
            self._news.notify_all()

    def _miss(self, loss: Loss) -> None:
        with self._news:
            self.losses.append(loss)
            self._news.notify_all()


def settle(publisher: Events, heard: list[Heard]) -> None:
    """Publishes until every subscriber hears ``publisher``: a bus connects in the background.

    Raises:
        AssertionError: one does not, within 20 seconds.
    """
    clock, never = SystemClock(), threading.Event()
    for _ in range(_PATIENCE // 5):
        if all(publisher.origin in each.settled for each in heard):
            return
        publisher.publish("test.settle", {})
        clock.wait(never, 0.05)
    raise AssertionError(f"only {sum(publisher.origin in each.settled for each in heard)} of {len(heard)} hear it")
