"""How many bytes one client may have stored within an hour."""

from __future__ import annotations

import pytest

from rave_core.testing import FakeClock
from rave_http.jobs.stored_bytes import StoredBytes
from rave_http.protocol.problems import Problem


def refused(stored: StoredBytes, client: str) -> int:
    """The seconds after which a client is to ask again; it fails if the client may store more."""
    with pytest.raises(Problem) as caught:
        stored.check(client)
    assert caught.value.status == 429
    return int(caught.value.headers["Retry-After"])


def test_a_client_that_stored_its_share_is_refused() -> None:
    """Others are not; the detail names the limit."""
    stored = StoredBytes(FakeClock(), most=1000)
    stored.add("user ada", 999)
    stored.check("user ada")
    stored.add("user ada", 1)
    stored.check("user bob")
    with pytest.raises(Problem, match=r"may take 1\.0 kB"):
        stored.check("user ada")


@pytest.mark.parametrize("count", [1000, 1500, 50_000])
def test_the_advised_time_is_long_enough(count: int) -> None:
    """And not longer than two hours."""
    clock = FakeClock()
    stored = StoredBytes(clock, most=1000)
    stored.add("user ada", count)
    seconds = refused(stored, "user ada")
    assert seconds <= 7200
    clock.advance(seconds + 1)
    stored.check("user ada")


def test_what_was_stored_in_the_previous_hour_counts_in_part() -> None:
    """So nobody gets twice the limit around the turn of an hour."""
    clock = FakeClock()
    stored = StoredBytes(clock, most=1000)
    clock.advance(3599 - clock.monotonic() % 3600)
    stored.add("user ada", 1500)
    clock.advance(2)
    refused(stored, "user ada")
    clock.advance(1800)
    stored.check("user ada")
