"""Events in a process: at most once, in order, and never at the cost of whoever publishes."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rave_core import Runtime, op, using
from rave_core.errors import ConfigurationError, TopicError
from rave_core.events import Event, Events, Loss
from rave_core.testing import FakeClock


def eventually(condition: Callable[[], Any]) -> Any:
    """What ``condition`` gives as soon as it is true, within ten seconds."""
    for _ in range(1000):
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError("it never came true")


@pytest.fixture
def events(clock: FakeClock) -> Iterator[Events]:
    """Events of a process that reaches no other."""
    events = Events(clock)
    yield events
    events.close()


def test_a_subscriber_gets_what_its_pattern_matches_in_order(events: Events, clock: FakeClock) -> None:
    """Each event with its topic, its data and the time of its publication, and nothing of other topics."""
    got: list[Event] = []
    events.subscribe("namespace.*", got.append)
    for number in range(3):
        events.publish("namespace.loaded", {"namespace": "flow", "generation": number})
        events.publish("job.started", {"key": "k"})
    eventually(lambda: len(got) == 3)
    assert [event.data["generation"] for event in got] == [0, 1, 2]
    assert got[0] == Event("namespace.loaded", {"namespace": "flow", "generation": 0}, clock.now(), events.origin)


@pytest.mark.parametrize(
    ("patterns", "heard"),
    [
        ("*", {"a", "a.b", "a.b.c", "b.b"}),
        ("a.*", {"a.b", "a.b.c"}),
        ("*.b", {"a.b", "b.b"}),
        ("a", {"a"}),
        (["a", "b.*"], {"a", "b.b"}),
    ],
)
def test_a_star_stands_for_any_text(events: Events, patterns: Any, heard: set[str]) -> None:
    """Dots included; several patterns are one subscription."""
    got: list[str] = []
    events.subscribe(patterns, lambda event: got.append(event.topic))
    for topic in ("a", "a.b", "a.b.c", "b.b"):
        events.publish(topic, {})
    eventually(lambda: len(got) == len(heard))
    assert set(got) == heard


@pytest.mark.parametrize("topic", ["", "A.b", "a b", "a..b", ".a", "a.", "a.*", "1a", "a\n", "x" * 101])
def test_what_is_no_topic_is_refused_by_name(events: Events, topic: str) -> None:
    """Even if nobody listens, so that the mistake shows at once."""
    with pytest.raises(TopicError, match="is not a topic: write words of small letters"):
        events.publish(topic, {})


@pytest.mark.parametrize("pattern", ["", "A*", "a b", "a?", "(a+)+", "x" * 101])
def test_what_is_no_pattern_is_refused_by_name(events: Events, pattern: str) -> None:
    """Only ``*`` means something else than itself."""
    with pytest.raises(TopicError, match="is not a pattern of topics"):
        events.subscribe(pattern, print)
    with pytest.raises(TopicError, match="no pattern of topics is given"):
        events.subscribe([], print)


def test_a_slow_subscriber_loses_the_oldest_and_learns_how_many(events: Events) -> None:
    """The publisher never waits for it, and other subscribers lose nothing."""
    entered, goes_on = threading.Event(), threading.Event()
    slow: list[Event | Loss] = []
    quick: list[Event] = []

    def callback(event: Event) -> None:
        entered.set()
        goes_on.wait(10)
        slow.append(event)

    subscription = events.subscribe("a", callback, on_lost=slow.append, queue=10)
    events.subscribe("a", quick.append)
    events.publish("a", {"n": -1})
    assert entered.wait(10)
    for number in range(110):
        events.publish("a", {"n": number})
    goes_on.set()
    eventually(lambda: len(slow) == 12)
    first, loss, *rest = slow
    assert isinstance(first, Event)
    assert loss == Loss(100, "the subscriber is slower than the events come")
    assert [event.data["n"] for event in rest if isinstance(event, Event)] == list(range(100, 110))
    assert subscription.lost == 100
    eventually(lambda: len(quick) == 111)


def test_a_loss_that_nobody_asks_for_is_logged(events: Events, caplog: pytest.LogCaptureFixture) -> None:
    """With its count and its reason."""
    entered, goes_on = threading.Event(), threading.Event()

    def callback(event: Event) -> None:
        entered.set()
        goes_on.wait(10)

    events.subscribe("a", callback, queue=1)
    events.publish("a", {})
    assert entered.wait(10)
    events.publish("a", {})
    events.publish("a", {})
    goes_on.set()
    eventually(lambda: "lost 1 events: the subscriber is slower than the events come" in caplog.text)


def test_a_subscriber_that_raises_costs_only_itself(events: Events, caplog: pytest.LogCaptureFixture) -> None:
    """It loses that event alone; the next one comes, to it and to others, even after an attempt to exit."""
    caplog.set_level(logging.WARNING, "rave.events")
    got: list[int] = []
    errors: list[BaseException] = [ValueError("first"), SystemExit(3)]

    def callback(event: Event) -> None:
        if errors:
            raise errors.pop(0)
        got.append(event.data["n"])

    subscription = events.subscribe("a", callback)
    others: list[Event] = []
    events.subscribe("a", others.append)
    for number in range(3):
        events.publish("a", {"n": number})
    eventually(lambda: got == [2] and len(others) == 3)
    assert subscription.failures == 2
    assert "ValueError: first" in caplog.text


def test_a_closed_subscription_gets_nothing_any_more(events: Events) -> None:
    """Not even what waited; its thread ends."""
    got: list[Event] = []
    with events.subscribe("a", got.append) as subscription:
        events.publish("a", {})
        eventually(lambda: got)
    events.publish("a", {})
    assert not events.is_heard("a")
    subscription.close()
    eventually(lambda: not any("got.append" in each.name for each in threading.enumerate()))
    assert len(got) == 1


def test_a_callback_may_subscribe_publish_and_close(events: Events) -> None:
    """It runs without a lock held."""
    got: list[str] = []

    def second(event: Event) -> None:
        got.append(event.topic)

    def first(event: Event) -> None:
        events.subscribe("b", second)
        subscription.close()
        events.publish("b", {})

    subscription = events.subscribe("a", first)
    events.publish("a", {})
    eventually(lambda: got == ["b"])


def test_many_threads_publish_and_subscribe_at_once(events: Events) -> None:
    """Every event reaches a subscriber that was there before, each once, those of one thread in order."""
    got: list[Event] = []
    events.subscribe("a.*", got.append, queue=100_000)

    def publish(name: int) -> None:
        for number in range(500):
            events.publish(f"a.t{name}", {"n": number})
            if number % 100 == 0:
                events.subscribe("b", print).close()

    threads = [threading.Thread(target=publish, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: len(got) == 4000)
    for name in range(8):
        assert [event.data["n"] for event in got if event.topic == f"a.t{name}"] == list(range(500))


def test_an_event_keeps_what_it_said_when_the_publisher_goes_on(events: Events) -> None:
    """The publisher may use its dict again."""
    got: list[Event] = []
    events.subscribe("a", got.append)
    data = {"n": 1}
    events.publish("a", data)
    data["n"] = 2
    eventually(lambda: got)
    assert got[0].data["n"] == 1


def test_a_stream_gives_events_to_a_task(events: Events) -> None:
    """From any thread, in order, and nothing after a time-out or the end."""

    async def main() -> None:
        with events.stream("a.*") as stream:
            assert await stream.take(timeout=0.01) == ([], [])
            publisher = threading.Thread(target=lambda: [events.publish("a.b", {"n": n}) for n in range(250)])
            publisher.start()
            numbers: list[int] = []
            while len(numbers) < 250:
                taken, losses = await stream.take(100, timeout=10)
                assert not losses
                assert 0 < len(taken) <= 100
                numbers += [event.data["n"] for event in taken]
            assert numbers == list(range(250))
            publisher.join()
            waiting = asyncio.create_task(stream.take())
            await asyncio.sleep(0)
            threading.Thread(target=events.close).start()
            assert await waiting == ([], [])
            assert stream.is_closed

    asyncio.run(main())


def test_a_stream_that_nobody_takes_from_loses_the_oldest(events: Events) -> None:
    """And says so before the first event that is left."""

    async def main() -> None:
        with events.stream("a", queue=5) as stream:
            for number in range(12):
                events.publish("a", {"n": number})
            taken, losses = await stream.take()
            assert [loss.count for loss in losses] == [7]
            assert [event.data["n"] for event in taken] == [7, 8, 9, 10, 11]
            assert stream.lost == 7

    asyncio.run(main())


def test_closed_events_open_again_when_used(events: Events) -> None:
    """The old subscriptions stay closed."""
    before: list[Event] = []
    after: list[Event] = []
    events.subscribe("a", before.append)
    events.close()
    events.subscribe("a", after.append)
    events.publish("a", {})
    eventually(lambda: after)
    assert not before


def test_a_stored_entry_is_an_event(runtime: Runtime) -> None:
    """With its key, its operation, its size, and how it came about; a hit is none."""
    got: list[Event] = []
    runtime.events.subscribe("entry.*", got.append)

    @op(name="test/double")
    def double(number: int) -> int:
        return 2 * number

    double(1)
    double(1)
    double(1, rave_refresh=True)
    eventually(lambda: len(got) == 2)
    key = double.key(1)
    assert key is not None
    assert [event.data["status"] for event in got] == ["miss", "refreshed"]
    assert got[0].topic == "entry.stored"
    assert got[0].data["key"] == key.text
    assert got[0].data["operation"] == "test/double"
    assert got[0].data["bytes"] > 0


def test_a_callback_calls_operations_in_the_runtime_that_subscribed(make_runtime: Callable[..., Runtime]) -> None:
    """Not in the process's default one."""
    with using(make_runtime()) as runtime:

        @op(name="test/kept")
        def kept(number: int) -> int:
            return number

        statuses: list[str] = []
        runtime.events.subscribe("ask", lambda event: statuses.append(str(kept.resolve(1).status)))
        kept(1)
        runtime.events.publish("ask", {})
        eventually(lambda: statuses == ["hit"])
        runtime.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("kafka://host", "no bus of events is called 'kafka'"),
        ("local", "write 'local:', or the URL of a bus"),
        ("local:x", "write 'local:', or the URL of a bus"),
    ],
)
def test_a_bus_that_nobody_knows_is_refused_at_the_start(
    make_runtime: Callable[..., Runtime], url: str, message: str
) -> None:
    """With the setting, its value, and what would be right."""
    with pytest.raises(ConfigurationError, match=message):
        make_runtime(events=url)
