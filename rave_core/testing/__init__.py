"""Test tools for plugin authors: contract tests for backends to subclass, and a clock and plugins for tests.

Each name is loaded when it is first asked for. The contracts need pytest, and most of them hypothesis; `FakeClock`,
`BadNetwork`, `free_port` and `isolated_plugins` need neither.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rave_core.testing.backend_contract import BackendContract
    from rave_core.testing.bus_contract import BusContract
    from rave_core.testing.capability_contracts import (
        AgingContract,
        HoldingsContract,
        LeaseContract,
        StatsContract,
        ValuesContract,
    )
    from rave_core.testing.clock import FakeClock
    from rave_core.testing.counted_code import uncounted_code
    from rave_core.testing.document_contract import DocumentContract
    from rave_core.testing.document_process_contract import DocumentProcessContract
    from rave_core.testing.network import BadNetwork
    from rave_core.testing.plugins import isolated_plugins
    from rave_core.testing.ports import free_port
    from rave_core.testing.process_contracts import ClockContract, CrashContract, ProcessContract
    from rave_core.testing.product_contracts import FilesContract, ObjectsContract, UnpackingContract, UrlContract
    from rave_core.testing.purge_contracts import PinsContract, PurgeContract
    from rave_core.testing.samples import frame_of, key_of, together
    from rave_core.testing.state_machine import backend_machine
    from rave_core.testing.trouble_contracts import DamageContract, NetworkContract, SpaceContract

__all__ = [
    "AgingContract",
    "BackendContract",
    "BadNetwork",
    "BusContract",
    "ClockContract",
    "CrashContract",
    "DamageContract",
    "DocumentContract",
    "DocumentProcessContract",
    "FakeClock",
    "FilesContract",
    "HoldingsContract",
    "LeaseContract",
    "NetworkContract",
    "ObjectsContract",
    "PinsContract",
    "ProcessContract",
    "PurgeContract",
    "SpaceContract",
    "StatsContract",
    "UnpackingContract",
    "UrlContract",
    "ValuesContract",
    "backend_machine",
    "frame_of",
    "free_port",
    "isolated_plugins",
    "key_of",
    "together",
    "uncounted_code",
]

_MODULES = {
    "AgingContract": "capability_contracts",
    "BackendContract": "backend_contract",
    "BadNetwork": "network",
    "BusContract": "bus_contract",
    "ClockContract": "process_contracts",
    "CrashContract": "process_contracts",
    "DamageContract": "trouble_contracts",
    "DocumentContract": "document_contract",
    "DocumentProcessContract": "document_process_contract",
    "FakeClock": "clock",
    "FilesContract": "product_contracts",
    "HoldingsContract": "capability_contracts",
    "LeaseContract": "capability_contracts",
    "NetworkContract": "trouble_contracts",
    "ObjectsContract": "product_contracts",
    "PinsContract": "purge_contracts",
    "ProcessContract": "process_contracts",
    "PurgeContract": "purge_contracts",
    "SpaceContract": "trouble_contracts",
    "StatsContract": "capability_contracts",
    "UnpackingContract": "product_contracts",
    "UrlContract": "product_contracts",
    "ValuesContract": "capability_contracts",
    "backend_machine": "state_machine",
    "frame_of": "samples",
    "free_port": "ports",
    "isolated_plugins": "plugins",
    "key_of": "samples",
    "together": "samples",
    "uncounted_code": "counted_code",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _MODULES[name].endswith(("contract", "contracts")):
        _register_contracts()
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def _register_contracts() -> None:
    """Makes pytest show what their assertions compared; this has an effect only before they are imported."""
    import pytest

    modules = {f"{__name__}.{module}" for module in _MODULES.values() if module.endswith(("contract", "contracts"))}
    pytest.register_assert_rewrite(*sorted(modules - sys.modules.keys()))


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
