"""Small files in MaxMind's binary form, written from its specification."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MARKER = b"\xab\xcd\xefMaxMind.com"


def write_mmdb(path: Path, networks: Mapping[str, Any]) -> Path:
    """A database of IPv6, in which IPv4 lies at ``::/96``, that says these facts of networks apart from each other."""
    nodes: list[list[int | None]] = [[None, None]]
    facts = b""
    for network, said in networks.items():
        net = ipaddress.ip_network(network)
        width, length = (96, 96 + net.prefixlen) if net.version == 4 else (0, net.prefixlen)
        bits = ("0" * width + f"{int(net.network_address):0{net.max_prefixlen}b}")[:length]
        place = 0
        for bit in bits[:-1]:
            held = nodes[place][int(bit)]
            if held is None:
                nodes.append([None, None])
                held = nodes[place][int(bit)] = len(nodes) - 1
            place = held
        nodes[place][int(bits[-1])] = -1 - len(facts)
        facts += _encoded(said)
    count = len(nodes)

    def record(value: int | None) -> bytes:
        number = count if value is None else value if value >= 0 else count + 16 - 1 - value
        return number.to_bytes(3, "big")

    tree = b"".join(record(value) for node in nodes for value in node)
    about = {
        "node_count": count, "record_size": 24, "ip_version": 6, "database_type": "Test", "languages": ["en"],
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1, "description": {},
    }  # fmt: skip
    path.write_bytes(tree + bytes(16) + facts + _MARKER + _encoded(about))
    return path


_KINDS = {"build_epoch": 9, "node_count": 6, "autonomous_system_number": 6}
"""The types of numbers; all others have 16 bits."""


def _encoded(value: Any, name: str = "") -> bytes:
    if isinstance(value, dict):
        content = b"".join(_encoded(each) + _encoded(one, each) for each, one in value.items())
        return bytes([7 << 5 | len(value)]) + content
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(map(_encoded, value))
    if isinstance(value, int):
        number = value.to_bytes((value.bit_length() + 7) // 8, "big")
        kind = _KINDS.get(name, 5)
        return (bytes([len(number), kind - 7]) if kind > 7 else bytes([kind << 5 | len(number)])) + number
    text = value.encode()
    size = bytes([2 << 5 | len(text)]) if len(text) < 29 else bytes([2 << 5 | 29, len(text) - 29])
    return size + text
