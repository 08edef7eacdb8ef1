"""Messages between processes: what is missing shows, and what is no message does no harm."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rave_core.events import Event
from rave_core.events.wire import Receiver, encoded


def numbered(*numbers: int, size: int = 1) -> list[tuple[int, Event]]:
    """Events with these numbers."""
    return [(number, Event("a.b", {"n": number, "text": "x" * size}, 1.0, "them")) for number in numbers]


def numbers_of(events: list[Event]) -> list[int]:
    """Their numbers, from their data."""
    return [event.data["n"] for event in events]


@given(st.lists(st.integers(1, 300), min_size=1, max_size=40, unique=True), st.integers(120, 2000))
def test_every_event_arrives_in_messages_of_the_size_allowed(numbers: list[int], most: int) -> None:
    """In order, and whatever is missing between them is counted."""
    numbers.sort()
    messages = list(encoded("them", numbered(*numbers), most))
    assert all(len(message) <= most for message in messages)
    receiver = Receiver("us")
    got: list[int] = []
    missing = 0
    for message in messages:
        events, lost = receiver.read(message)
        got += numbers_of(events)
        missing += lost
    assert got == numbers
    assert missing == numbers[-1] - numbers[0] + 1 - len(numbers)


def test_an_event_that_is_too_large_or_has_no_form_is_missing() -> None:
    """It is counted like any other loss."""

    class Unwritable:
        def __str__(self) -> str:
            raise ValueError

    events = numbered(1, 2, 3, 4)
    events[1] = (2, Event("a.b", {"text": "x" * 1000}, 1.0, "them"))
    events[2] = (3, Event("a.b", {"thing": Unwritable()}, 1.0, "them"))
    receiver = Receiver("us")
    read = [receiver.read(message) for message in encoded("them", events, 300)]
    assert [number for got, _ in read for number in numbers_of(got)] == [1, 4]
    assert sum(lost for _, lost in read) == 2


def test_values_that_json_lacks_arrive_as_text() -> None:
    """A path, a number with a fraction of its own, and a set of their own kind."""
    event = Event("a", {"path": st.SearchStrategy, "when": 1j}, 1.0, "them")
    (message,) = encoded("them", [(1, event)], 1000)
    events, _ = Receiver("us").read(message)
    assert events[0].data["when"] == "1j"


def test_a_process_leaves_out_its_own_messages() -> None:
    """A bus may give them back to the sender."""
    (message,) = encoded("us", numbered(1), 1000)
    assert Receiver("us").read(message) == ([], 0)


@given(st.binary(max_size=60))
def test_what_is_no_message_gives_nothing(message: bytes) -> None:
    """Anybody who reaches the bus may write there."""
    assert Receiver("us").read(message) == ([], 0)


def test_what_repeats_or_goes_back_is_not_missing() -> None:
    """Only numbers that were skipped count."""
    receiver = Receiver("us")
    for number in (5, 5, 3, 4):
        (message,) = encoded("them", numbered(number), 1000)
        assert receiver.read(message)[1] == 0


def test_only_the_processes_heard_last_are_remembered() -> None:
    """So that a service that runs for years does not grow."""
    receiver = Receiver("us")
    for origin in range(3000):
        (message,) = encoded(f"process {origin}", numbered(1), 1000)
        receiver.read(message)
    assert len(receiver._last) == 1000
