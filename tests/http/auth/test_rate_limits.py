from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from rave_core.clock import SystemClock
from rave_core.errors import ConfigurationError
from rave_core.testing import FakeClock
from rave_http.auth.authorization import ANONYMOUS, Principal
from rave_http.auth.rate_limits import Rates
from rave_http.protocol.problems import Problem
from rave_http.settings import ServiceSettings

ALICE = Principal("alice", "key")


@pytest.fixture(autouse=True)
def _wait_for_timers() -> object:
    """The library tidies up in short-lived threads; none outlives its test."""
    yield
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(10)


def seconds(rates: Rates, principal: Principal = ALICE, client: str = "192.0.2.1") -> int:
    """Takes one that is refused; after how many seconds to ask again."""
    with pytest.raises(Problem) as caught:
        rates.take(principal, client)
    assert caught.value.slug == "too-many-requests"
    return int(caught.value.headers["Retry-After"])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The time, which the library takes from the machine."""
    fake = FakeClock(1_700_000_000.1)
    monkeypatch.setattr(time, "time", fake.now)
    monkeypatch.setattr(SystemClock, "now", staticmethod(fake.now))
    return fake


def test_what_exceeds_the_limit_is_refused() -> None:
    """With the time after which to ask again."""
    rates = Rates("3/day")
    for _ in range(3):
        rates.take(ALICE, "192.0.2.1")
    assert 1 <= seconds(rates) <= 86400
    assert 1 <= seconds(rates) <= 86400


def test_each_user_has_a_limit_of_their_own() -> None:
    """Wherever they ask from, with whatever key; the anonymous have one for each address."""
    rates = Rates("1/day")
    rates.take(ALICE, "192.0.2.1")
    seconds(rates, Principal("alice", "proxy"), "192.0.2.2")
    rates.take(Principal("bob", "key"), "192.0.2.1")
    rates.take(ANONYMOUS, "192.0.2.1")
    rates.take(ANONYMOUS, "192.0.2.2")
    rates.take(Principal("192.0.2.3", "key"), "192.0.2.2")
    rates.take(ANONYMOUS, "192.0.2.3")
    seconds(rates, ANONYMOUS, "::ffff:192.0.2.2")


def test_one_site_has_one_limit_with_ipv6() -> None:
    """It can choose among 2**64 addresses, so it is its network that counts."""
    rates = Rates("1/day")
    rates.take(ANONYMOUS, "2001:db8::1")
    seconds(rates, ANONYMOUS, "2001:db8::ffff:ffff:ffff:ffff")
    rates.take(ANONYMOUS, "2001:db8:0:1::1")


def test_waiting_as_long_as_told_is_enough(clock: FakeClock) -> None:
    """And until then it stays refused; what was refused does not count."""
    rates = Rates("1/second")
    rates.take(ALICE, "")
    told = seconds(rates)
    assert told == 1
    clock.advance(0.8)
    seconds(rates)
    clock.advance(0.2)
    rates.take(ALICE, "")


def test_of_several_limits_each_holds_and_a_refusal_counts_for_none(clock: FakeClock) -> None:
    """A burst that the first one stops does not use up the second one."""
    rates = Rates("1 per second; 2 per day")
    rates.take(ALICE, "")
    for _ in range(5):
        assert seconds(rates) == 1
    clock.advance(1)
    rates.take(ALICE, "")
    clock.advance(2)
    assert seconds(rates) > 1000


def test_each_worker_allows_its_share() -> None:
    """Rounded up, so that nobody is shut out."""
    for limit, workers, share in ((10, 2, 5), (10, 3, 4), (1, 8, 1)):
        rates = Rates(f"{limit}/day", workers=workers)
        for _ in range(share):
            rates.take(ALICE, "")
        seconds(rates)
    rates = Rates.of(ServiceSettings(rate_limit="4/day", workers=2))
    rates.take(ALICE, "")
    rates.take(ALICE, "")
    seconds(rates)


@pytest.mark.parametrize("text", ["often", "60", "60/min", "x/minute", "-1/minute", "1.5/minute", "60/minute and more"])
def test_a_limit_that_can_not_be_read_is_named(text: str) -> None:
    """With what would be right."""
    with pytest.raises(ConfigurationError, match=r"given: 'rate_limit' is '.*': write e.g. '60/minute'"):
        Rates.of(ServiceSettings(rate_limit=text))


def test_a_limit_of_nothing_is_refused() -> None:
    """Whoever means that takes a permission away."""
    with pytest.raises(ConfigurationError, match=r"allows nothing.*leave out the permission 'run'"):
        Rates("0/minute")


def test_without_a_limit_nothing_is_imported_or_counted() -> None:
    """The library takes a tenth of a second and more memory than all of the rest of this."""
    script = (
        "import sys; from rave_http.auth.rate_limits import Rates; from rave_http.auth.authorization import ANONYMOUS\n"
        "rates = Rates('', workers=2)\n"
        "for _ in range(1000): rates.take(ANONYMOUS, '192.0.2.1')\n"
        "print('limits' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"
