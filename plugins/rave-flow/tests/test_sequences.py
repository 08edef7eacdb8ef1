"""What exporters sent and what never came: told where messages are numbered, and not where all is well."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from rave_flow.formats.sequences import Sequences

Message = tuple[int, int, int]
"""The number of its first record, how many it has, and when it is exported."""

MESSAGES = st.lists(st.tuples(st.integers(1, 5), st.booleans(), st.booleans()), max_size=12)
"""Of each message how many records it has, whether it never comes, and whether the next one overtakes it."""


def taken(*messages: tuple[int, int | None, int], domain: int = 7) -> dict[int, int]:
    """What is missing of these messages."""
    found = Sequences()
    for number, count, exported in messages:
        found.take(domain, number, count, exported)
    return dict(found.missing)


def sent(sizes: list[int], start: int, exported: int) -> list[Message]:
    """Messages of so many records each, ten seconds apart."""
    return [((start + sum(sizes[:n])) % 2**32, size, exported + 10 * n) for n, size in enumerate(sizes)]


@given(messages=MESSAGES, start=st.sampled_from([900, 2**31 - 9, 2**32 - 9]), is_restarted=st.booleans())
@example(messages=[(5, True, False), (3, False, True), (1, True, False)], start=2**32 - 9, is_restarted=False)
def test_what_is_missing_is_what_never_came(
    messages: list[tuple[int, bool, bool]], start: int, *, is_restarted: bool
) -> None:
    """Across a wrap of the numbers, in another order, and before an exporter starts from 0 again.

    Right before a wrap, such a start looks like a loss.
    """
    everything = sent([2, *(size for size, *_ in messages), 2, 2], start, 1000)
    kept = [each for each, (_, is_lost, _) in zip(everything[1:-2], messages, strict=True) if not is_lost]
    for place in range(len(kept) - 1):
        if messages[place][2]:
            kept[place : place + 2] = reversed(kept[place : place + 2])
    again = sent([3, 4], 0, 5000) if is_restarted and start < 2**32 - 9 else []
    lost = sum(size for size, is_lost, _ in messages if is_lost)
    assert taken(everything[0], *kept, *everything[-2:], *again) == ({7: lost} if lost else {})


def test_the_first_message_may_be_overtaken_too() -> None:
    """It ends where the first one that came begins."""
    assert taken((10, 5, 1), (5, 5, 1), (15, 5, 1)) == {}


def test_numbers_far_ahead_are_those_of_another_run() -> None:
    """An exporter whose numbers were large starts from 0: no 294 million records are lost within a minute."""
    assert taken((4_000_000_000, 5, 1000), (0, 5, 1060), (5, 5, 1061)) == {}
    assert taken((10, 5, 1000), (1_000_000, 5, 1000)) == {7: 999_985}


def test_after_a_message_of_unknown_size_nothing_is_missing() -> None:
    """Its records may be those between the numbers."""
    assert taken((0, 5, 1), (5, None, 2), (25, 5, 3), (40, 5, 4)) == {7: 10}
    assert (
        taken((0, 5, 1), (9, 5, 1), (14, None, 2), (5, 4, 2), (25, 5, 3)) == {}
    )  # one that is late says nothing of it


def test_many_holes_are_found_in_no_time() -> None:
    """The last ones may be filled by late messages."""
    messages = [(2 * number, 1, number) for number in range(20_000)]
    assert taken(*messages, (39_901, 1, 20_000), (1, 1, 20_000)) == {7: 19_998}


def test_exporters_that_share_a_domain_are_told_apart() -> None:
    """As far as their numbers differ."""
    assert taken((0, 5, 1), (0, 5, 1), (5, 5, 2), (5, 5, 2), (12, 5, 3), (10, 5, 3)) == {7: 2}


def test_what_is_missing_of_many_runs_is_added_up() -> None:
    """Though only some of them are remembered."""
    runs = [(start * 1000 + number, 1, 1) for start in range(20, 0, -1) for number in (0, 2)]
    assert taken(*runs) == {7: 20}
