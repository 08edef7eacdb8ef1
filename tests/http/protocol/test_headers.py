"""Headers read and written."""

from __future__ import annotations

import math

import pytest

from rave_core.model import Entry
from rave_http.protocol.headers import (
    Preferences,
    cache_control,
    cache_status,
    directives,
    http_date,
    listed,
    preferences,
)


def entry(expires_at: float = math.inf, **facts: float) -> Entry:
    """An entry made at 1,000."""
    return Entry(key="a/b/c", created_at=1000.0, expires_at=expires_at, codec="json", digest="", **facts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, Preferences()),
        ("wait=10", Preferences(wait=10.0)),
        ("respond-async, wait=5", Preferences(wait=5.0, respond_async=True)),
        ("return=minimal", Preferences(minimal=True)),
        ("return=representation", Preferences()),
        ('RETURN="minimal"; foo', Preferences(minimal=True)),
        ("wait=1, wait=9", Preferences(wait=1.0)),
        ("handling=lenient;x=y", Preferences()),
    ],
)
def test_preferences_are_read(text: str | None, expected: Preferences) -> None:
    """What is known is read, what is not is passed over, and the first of a name counts."""
    assert preferences(text) == expected


@pytest.mark.parametrize("text", ["wait=x", "wait=-1", "wait=1.5", "wait=", "wait=\N{ARABIC-INDIC DIGIT ONE}", "=,;"])
def test_a_preference_that_can_not_be_understood_is_ignored(text: str) -> None:
    """As if it had not been said (RFC 7240, 2); what stands beside it counts."""
    assert preferences(text) == Preferences()
    assert preferences(f"respond-async, {text}") == Preferences(respond_async=True)


def test_a_wait_may_have_any_number_of_digits() -> None:
    """It is longer than any that the service allows."""
    assert preferences("wait=99999999999").wait == preferences(f"wait={'9' * 5000}").wait == 1e9


def test_what_was_honoured_is_echoed() -> None:
    """Only preferences that had an effect are named."""
    prefer = Preferences(wait=5.0, respond_async=True)
    assert prefer.applied(waited=5.0, ticket=True) == "respond-async, wait=5"
    assert prefer.applied(waited=3.0) == "wait=3", "a wait that was shortened"
    assert Preferences().applied(ticket=True) == ""


def test_the_remaining_lifetime_is_the_max_age() -> None:
    """What is good for 100 s more may be kept by others for as long."""
    assert cache_control(entry(1100.9), 1000.0, private=False, forever=3600.0) == "public, max-age=100"
    assert cache_control(entry(900.0), 1000.0, private=True, forever=3600.0) == "private, max-age=0"
    assert cache_control(entry(), 1000.0, private=False, forever=3600.0) == "public, max-age=3600"


def test_stale_windows_are_told() -> None:
    """Caches in front may do what our own engine does."""
    found = entry(1100.0, stale_while_revalidate=30.0, stale_if_error=600.0)
    told = cache_control(found, 1000.0, private=False, forever=3600.0)
    assert told.endswith("stale-while-revalidate=30, stale-if-error=600")


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("hit", "rave; hit; ttl=60"),
        ("miss", "rave; fwd=miss; stored; ttl=60"),
        ("refreshed", "rave; fwd=request; stored; ttl=60"),
    ],
)
def test_the_cache_says_what_it_did(outcome: str, expected: str) -> None:
    """RFC 9211 tells hits from misses, with the time to live."""
    assert cache_status(outcome, entry(1060.0), 1000.0) == expected


def test_a_stale_hit_has_a_negative_time_to_live() -> None:
    """What expired ten seconds ago says so."""
    assert cache_status("stale", entry(990.0), 1000.0) == "rave; hit; ttl=-10"


def test_dates_are_written_in_whole_seconds() -> None:
    """As HTTP writes them, rounded down."""
    assert http_date(1_700_000_000.7) == "Tue, 14 Nov 2023 22:13:20 GMT"


def test_directives_are_names_in_any_case() -> None:
    """``only-if-cached`` is found among others."""
    assert "only-if-cached" in directives("No-Cache, ONLY-IF-CACHED, max-age=0")
    assert not directives(None)


@pytest.mark.parametrize(
    ("texts", "header"),
    [
        (["one", "two, three"], '"one", "two, three"'),
        (['a "quoted" \\ one'], '"a \\"quoted\\" \\\\ one"'),
        (["ü 100%"], '%"%c3%bc 100%25"'),
        (["two\r\nlines"], '%"two%0d%0alines"'),
        ([], ""),
    ],
)
def test_texts_are_listed_as_rfc_9651_has_it(texts: list[str], header: str) -> None:
    """Strings of ASCII are strings, others display strings; none of them can end the header."""
    assert listed(texts) == header


def test_a_list_of_texts_has_an_end() -> None:
    """Headers that are too long would be refused on their way."""
    assert len(listed(["x" * 900] * 100)) < 4100
