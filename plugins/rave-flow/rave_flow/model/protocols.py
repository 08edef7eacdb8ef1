"""Protocols by their numbers: one name for each, regardless of the source."""

from __future__ import annotations

_NAMES = {
    0: "hopopt", 1: "icmp", 2: "igmp", 3: "ggp", 4: "ipip", 6: "tcp", 8: "egp", 9: "igp", 17: "udp", 27: "rdp",
    33: "dccp", 41: "ipv6", 43: "ipv6-route", 44: "ipv6-frag", 46: "rsvp", 47: "gre", 50: "esp", 51: "ah",
    58: "icmp6", 59: "ipv6-nonxt", 60: "ipv6-opts", 88: "eigrp", 89: "ospf", 94: "etherip", 98: "encap", 103: "pim",
    108: "ipcomp", 112: "vrrp", 115: "l2tp", 132: "sctp", 133: "fc", 136: "udplite", 137: "mpls-in-ip",
}  # fmt: skip

PROTOCOLS: dict[int, str] = {number: _NAMES.get(number, str(number)) for number in range(256)}
"""The name of each protocol; the number for those without a common name."""

_OTHERS = {
    "ipv6-icmp": 58, "icmpv6": 58, "icmp-v6": 58, "ipv6_icmp": 58, "ospfigp": 89, "ospfv2": 89, "ospfv3": 89,
    "ip-in-ip": 4, "ipencap": 4, "ip": 4, "ipv6-in-ip": 41, "ipsec-esp": 50, "ipsec-ah": 51,
}  # fmt: skip
NUMBERS: dict[str, int] = {name: number for number, name in PROTOCOLS.items()} | _OTHERS
"""The number of each name, and of the other names that sources use."""

ICMP = tuple(
    word
    for name, number in NUMBERS.items()
    if number in (1, 58)
    for word in dict.fromkeys((name, str(number), f"{number}.0"))
)
"""What sources write for a flow of either version of ICMP."""

UNKNOWN = ("unknown_transport", "unknown")
"""What Zeek writes for a protocol without a name; the number is in ``ip_proto``."""

_COUNTERPARTS = ((0, 8), (9, 10), (13, 14), (15, 16), (17, 18), (128, 129), (130, 131), (133, 134), (135, 136),
                 (139, 140), (144, 145))  # fmt: skip
COUNTERPARTS = tuple(sorted({pair for low, high in _COUNTERPARTS for pair in ((low, high), (high, low))}))
"""Types of ICMP that ask and answer: Zeek writes the type of the answer where the code would stand."""


def canonical(word: str) -> tuple[str, int | None]:
    """The name and the number of a protocol, in lower case; of an unknown name the number is ``None``.

    Numbers above 255 count as unknown names. Data frames write the numbers of a column with gaps as ``6.0``.
    """
    text = word.strip().lower().removesuffix(".0")
    number = NUMBERS.get(text)
    if number is None and text.isascii() and text.isdigit():
        number = int(text) if int(text) < 256 else None
    return (text, None) if number is None else (PROTOCOLS[number], number)
