"""The hosts of the generated day; all addresses are private or reserved for documentation (RFC 1918, 5737, 3849)."""

from __future__ import annotations

from dataclasses import dataclass, field

SCANNER = "203.0.113.66"
BEACON = "10.1.3.77"
CONTROLLER = "198.51.100.23"
BACKUP_FROM = "10.0.8.20"
BACKUP_TO = "10.0.9.5"


def _office() -> list[str]:
    return [f"10.1.{net}.{host}" for net in range(4) for host in range(10, 120)]


def _internet() -> list[str]:
    return [f"198.51.100.{host}" for host in range(1, 255)] + [f"203.0.113.{host}" for host in range(100, 255)]


def _visitors() -> list[str]:
    return [f"203.0.113.{host}" for host in range(1, 60)] + [f"198.51.100.{host}" for host in range(30, 250)]


@dataclass(frozen=True, slots=True)
class Hosts:
    """Groups of hosts by name, the busiest first."""

    groups: dict[str, list[str]] = field(
        default_factory=lambda: {
            "office": _office(),
            "internet": _internet(),
            "visitors": [f"203.0.113.{host}" for host in range(1, 60)]
            + [f"198.51.100.{host}" for host in range(30, 250)],
            "www": ["192.0.2.80", "192.0.2.81"],
            "mail": ["192.0.2.25"],
            "dns": ["10.0.0.53", "10.0.0.54"],
            "ntp": ["10.0.0.123", "192.0.2.123"],
            "inside": [f"10.0.8.{host}" for host in range(10, 40)],
            "all": [*_office(), *(f"10.0.8.{host}" for host in range(10, 40))],
        }
    )

    def of(self, group: str) -> list[str]:
        """The hosts of a group, the busiest first."""
        return self.groups[group]

    def ipv6_of(self, group: str) -> list[str]:
        """The same number of IPv6 hosts for the same group."""
        net = list(self.groups).index(group) + 1
        return [f"2001:db8:{net:x}::{number + 16:x}" for number in range(len(self.groups[group]))]
