"""Which way flows go: the types of SiLK's site ``twoway``, derived from the internal networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rave_flow.errors import ParameterError
from rave_flow.model.address_set import AddressSet
from rave_flow.model.ranges import Ranges

PRIVATE = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8",
    "fc00::/7", "fe80::/10", "::1",
)  # fmt: skip
"""The internal networks by default: those that nobody routes."""

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
    return Types(NAMES if "all" in found else tuple(name for name in NAMES if name in found), configured_internal())


def _known() -> str:
    return f"{', '.join(NAMES)} or all"


def internal(settings: Mapping[str, Any]) -> Ranges:
    """The numbers of the addresses that ``internal`` in ``settings``, the table ``[plugins.flow]``, says are inside.

    Raises:
        ParameterError: they are no addresses.
    """
    given = settings.get("internal", PRIVATE)
    try:
        return AddressSet.of(given).ranges
    except (TypeError, ValueError) as error:
        raise ParameterError(f"internal = {given!r} in [plugins.flow]: {error}") from None


def configured_internal() -> Ranges:
    """The numbers of the addresses inside, by the settings in use; see `internal`."""
    return internal(_settings())


def _settings() -> Mapping[str, Any]:
    from rave_core import current_runtime

    return current_runtime().settings.plugins.get("flow", {})
