"""A day of flows: ordinary traffic through the day, a backup by night, a beaconing host and a port scan."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from rave_flow.generate import hosts
from rave_flow.generate.profiles import PROFILES, Profile, Spread

if TYPE_CHECKING:
    import numpy

DAY = 86400
MTU = 1460
SCAN_AT = 14 * 3600 + 600
BACKUP_AT = 2 * 3600


@dataclass(slots=True)
class Part:
    """Some flows, one array for each column; ``sent`` and ``received`` are payload bytes."""

    seconds: Any
    duration: Any
    src: Any
    src_port: Any
    dst: Any
    dst_port: Any
    proto: str
    service: str
    sent: Any
    received: Any
    answered: Any


@dataclass(slots=True)
class Scenario:
    """What makes a day: equal values give an equal day.

    Attributes:
        day: in UTC.
        flows: how many, about a tenth of which are the backup, the beacon and the scan.
        seed: of the random numbers.
    """

    day: date
    flows: int = 200_000
    seed: int = 7
    hosts: hosts.Hosts = field(default_factory=hosts.Hosts)

    def __post_init__(self) -> None:
        if self.flows < 100:
            raise ValueError(f"{self.flows} flows are too few for a day: expected at least 100")

    @property
    def start(self) -> float:
        """The day's midnight, in Unix seconds."""
        return datetime.combine(self.day, time(), UTC).timestamp()

    def parts(self) -> list[Part]:
        """The day's flows, by kind; ``flows`` of them in all."""
        import numpy

        random = numpy.random.default_rng([self.seed, self.day.toordinal()])
        special = [_beacon(random, self.flows), _backup(random, self.flows), _scan(random, self.flows)]
        ordinary = self.flows - sum(len(part.seconds) for part in special)
        shares = numpy.array([profile.share for profile in PROFILES])
        counts = random.multinomial(ordinary, shares / shares.sum())
        made = [
            _part(random, self.hosts, profile, int(number), is_ipv6)
            for profile, count in zip(PROFILES, counts, strict=True)
            for is_ipv6, number in _split(random, int(count), profile.ipv6)
        ]
        return [part for part in [*made, *special] if len(part.seconds)]


def _split(random: numpy.random.Generator, count: int, share: float) -> list[tuple[bool, int]]:
    ipv6 = int(random.binomial(count, share))
    return [(False, count - ipv6), (True, ipv6)]


def _part(random: numpy.random.Generator, groups: hosts.Hosts, profile: Profile, count: int, is_ipv6: bool) -> Part:
    choose = groups.ipv6_of if is_ipv6 else groups.of
    answered = random.random(count) >= profile.failed
    is_icmp = profile.proto == "icmp"
    return Part(
        seconds=_times(random, count, profile.flat),
        duration=_amount(random, profile.seconds, count) * answered,
        src=_busy(random, choose(profile.clients), count, 0.8),
        src_port=_full(8, count) if is_icmp else random.integers(32768, 60999, count),
        dst=_busy(random, choose(profile.servers), count, 1.1),
        dst_port=_full(profile.port, count),
        proto=profile.proto,
        service=profile.service,
        sent=(_amount(random, profile.sent, count) * (answered | (profile.proto != "tcp"))).astype("int64"),
        received=(_amount(random, profile.received, count) * answered).astype("int64"),
        answered=answered,
    )


def _full(value: int, count: int) -> Any:
    import numpy

    return numpy.full(count, value)


def _amount(random: numpy.random.Generator, spread: Spread, count: int) -> Any:
    import numpy

    return random.lognormal(numpy.log(spread.median), spread.sigma, count)


def _busy(random: numpy.random.Generator, names: list[str], count: int, exponent: float) -> Any:
    """Names drawn by Zipf's law: the one at place k with a weight of 1/k to the ``exponent``."""
    import numpy

    weights = 1.0 / numpy.arange(1, len(names) + 1) ** exponent
    return numpy.array(names)[random.choice(len(names), count, p=weights / weights.sum())]


def _times(random: numpy.random.Generator, count: int, flat: float) -> Any:
    """Seconds of the day that follow office hours: busy from 8 to 18 with a dip at noon, quiet by night."""
    import numpy

    minutes = numpy.arange(1440) / 60
    office = (
        0.06
        + numpy.exp(-(((minutes - 10.2) / 1.9) ** 2))
        + 0.95 * numpy.exp(-(((minutes - 15.0) / 2.2) ** 2))
        + 0.22 * numpy.exp(-(((minutes - 20.5) / 1.8) ** 2))
    )
    bursts = random.lognormal(0, 0.12, 1440)
    density = (flat * office.mean() + (1 - flat) * office) * bursts
    chosen = random.choice(1440, count, p=density / density.sum())
    return chosen * 60.0 + random.random(count) * 60.0


def _beacon(random: numpy.random.Generator, flows: int) -> Part:
    """One host that calls home at almost equal intervals, with almost equal amounts."""
    import numpy

    count = min(1440, max(24, flows // 100))
    seconds = numpy.clip(numpy.arange(count) * (DAY / count) + random.normal(17, 1.2, count), 0, DAY - 1)
    return Part(
        seconds=seconds,
        duration=random.normal(0.31, 0.02, count).clip(0.1),
        src=numpy.full(count, hosts.BEACON),
        src_port=random.integers(49152, 65535, count),
        dst=numpy.full(count, hosts.CONTROLLER),
        dst_port=numpy.full(count, 443),
        proto="tcp",
        service="ssl",
        sent=random.integers(505, 520, count),
        received=random.integers(1180, 1215, count),
        answered=numpy.ones(count, bool),
    )


def _backup(random: numpy.random.Generator, flows: int) -> Part:
    """A nightly copy to the storage host: few flows, most of the night's bytes."""
    import numpy

    count = max(4, flows // 4000)
    seconds = BACKUP_AT + numpy.sort(random.random(count)) * 4800
    sent = random.lognormal(numpy.log(2.4e9 / count), 0.5, count).astype("int64")
    return Part(
        seconds=seconds,
        duration=sent / 1.1e7 + 1.0,
        src=numpy.full(count, hosts.BACKUP_FROM),
        src_port=random.integers(32768, 60999, count),
        dst=numpy.full(count, hosts.BACKUP_TO),
        dst_port=numpy.full(count, 873),
        proto="tcp",
        service="-",
        sent=sent,
        received=(sent * 0.004).astype("int64"),
        answered=numpy.ones(count, bool),
    )


def _scan(random: numpy.random.Generator, flows: int) -> Part:
    """Twenty minutes in which one address tries the ports of all public hosts; few answer, none with data."""
    import numpy

    count = max(20, flows * 6 // 100)
    targets = numpy.array([f"192.0.2.{host}" for host in range(1, 255)])
    answered = random.random(count) < 0.03
    return Part(
        seconds=SCAN_AT + numpy.sort(random.random(count)) * 1200,
        duration=answered * random.lognormal(-3.5, 0.4, count),
        src=numpy.full(count, hosts.SCANNER),
        src_port=random.integers(40000, 60000, count),
        dst=targets[random.integers(0, len(targets), count)],
        dst_port=random.integers(1, 10000, count),
        proto="tcp",
        service="-",
        sent=numpy.zeros(count, "int64"),
        received=numpy.zeros(count, "int64"),
        answered=answered,
    )
