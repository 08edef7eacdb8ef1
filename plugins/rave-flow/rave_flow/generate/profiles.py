"""What kinds of traffic a company has, and how a flow of each kind looks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """A log-normal amount: its median, and how far it spreads (the sigma of its logarithm)."""

    median: float
    sigma: float


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of traffic.

    Attributes:
        share: of all ordinary flows.
        flat: how little it follows office hours: 0 entirely, 1 not at all.
        servers: which hosts answer: a key of `rave_flow.generate.hosts.Hosts.servers`.
        clients: which hosts ask, likewise.
        sent, received: payload bytes.
        seconds: how long a flow takes.
        failed: share of the flows that get no answer.
        ipv6: share of the flows over IPv6.
    """

    service: str
    proto: str
    port: int
    share: float
    flat: float
    sent: Spread
    received: Spread
    seconds: Spread
    servers: str = "internet"
    clients: str = "office"
    failed: float = 0.01
    ipv6: float = 0.0


PROFILES = (
    Profile("ssl", "tcp", 443, 0.36, 0.1, Spread(1900, 1.1), Spread(14000, 1.9), Spread(8, 1.7), ipv6=0.18),
    Profile("quic", "udp", 443, 0.07, 0.1, Spread(4200, 1.0), Spread(60000, 1.8), Spread(20, 1.3), ipv6=0.3),
    Profile("http", "tcp", 80, 0.05, 0.2, Spread(600, 0.8), Spread(9000, 1.7), Spread(0.8, 1.3), failed=0.03),
    Profile("http", "tcp", 80, 0.04, 0.5, Spread(700, 0.7), Spread(16000, 1.4), Spread(0.5, 1.2), "www", "visitors"),
    Profile("dns", "udp", 53, 0.31, 0.3, Spread(44, 0.3), Spread(130, 0.6), Spread(0.02, 1.2), "dns", failed=0.02),
    Profile("ntp", "udp", 123, 0.04, 1.0, Spread(48, 0.0), Spread(48, 0.0), Spread(0.03, 0.5), "ntp", "all"),
    Profile("smtp", "tcp", 25, 0.025, 0.5, Spread(5000, 1.7), Spread(420, 0.4), Spread(2, 0.9), "mail", "visitors"),
    Profile("ssl", "tcp", 993, 0.03, 0.2, Spread(1500, 0.8), Spread(7000, 1.6), Spread(240, 1.2), "mail"),
    Profile("ssh", "tcp", 22, 0.012, 0.2, Spread(9000, 1.6), Spread(16000, 1.9), Spread(180, 1.9), "inside"),
    Profile("ssh", "tcp", 22, 0.015, 1.0, Spread(1300, 0.3), Spread(1800, 0.3), Spread(3, 0.6), "www", "visitors", 0.4),
    Profile("-", "icmp", 0, 0.02, 0.9, Spread(112, 0.4), Spread(112, 0.4), Spread(1.2, 0.8), "inside", "all", 0.05),
    Profile("-", "tcp", 5432, 0.03, 0.3, Spread(2600, 1.1), Spread(9000, 1.6), Spread(4, 1.6), "inside"),
)
"""Ordinary traffic. An ICMP flow's ports are its type and code, as Zeek writes them: 8 and 0 for an echo."""
