"""Which way flows go: the types of SiLK's site ``twoway``, derived from the internal networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rave_flow.model.flow_settings import flow_settings
from rave_flow.model.ranges import Ranges

NAMES = ("in", "inicmp", "inweb", "out", "outicmp", "outweb", "int2int", "ext2ext")
"""From outside to inside and the other way, without what is ICMP or of the web; within, and past."""

_UNKNOWN = ("innull", "outnull", "other")


@dataclass(frozen=True, slots=True)
class Types:
    """Some types of flows.

    Attributes:
        names: of `NAMES`, in that order.
        internal: the numbers of the addresses inside; another configuration makes other answers.
    """

    names: tuple[str, ...]
    internal: Ranges


def to_types(value: Any) -> Types:
    """The types in a text with commas, or in a list; ``all`` stands for all of them.

    Raises:
        TypeError, ValueError: anything else.
    """
    if isinstance(value, Types):
        return value
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, (list, tuple)):
        raise TypeError("expected types of flows, such as in,inweb")
    found = {str(word).strip().lower() for word in words}
    for word in sorted(found & set(_UNKNOWN)):
        raise ValueError(f"{word!r}: what a router dropped is not in these flows; expected {_known()}")
    if not found or not found <= {*NAMES, "all"}:
        raise ValueError(f"expected {_known()}")
    return Types(NAMES if "all" in found else tuple(name for name in NAMES if name in found), flow_settings().inside)


def _known() -> str:
    return f"{', '.join(NAMES)} or all"
