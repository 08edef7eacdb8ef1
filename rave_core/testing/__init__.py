"""For authors of plugins: what a backend must do, as tests to subclass; a clock, and plugins, for tests.

Needs pytest and hypothesis, which only this package imports.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    "rave_core.testing.backend_contract",
    "rave_core.testing.capability_contracts",
    "rave_core.testing.process_contracts",
    "rave_core.testing.product_contracts",
    "rave_core.testing.purge_contracts",
    "rave_core.testing.trouble_contracts",
)

# ruff: noqa: E402  # what is rewritten must not be imported before
from rave_core.testing.backend_contract import BackendContract
from rave_core.testing.capability_contracts import (
    AgingContract,
    HoldingsContract,
    LeaseContract,
    StatsContract,
    ValuesContract,
)
from rave_core.testing.clock import FakeClock
from rave_core.testing.network import BadNetwork
from rave_core.testing.plugins import isolated_plugins
from rave_core.testing.process_contracts import ClockContract, CrashContract, ProcessContract
from rave_core.testing.product_contracts import FilesContract, ObjectsContract, UrlContract
from rave_core.testing.purge_contracts import PinsContract, PurgeContract
from rave_core.testing.samples import frame_of, key_of, together
from rave_core.testing.state_machine import backend_machine
from rave_core.testing.trouble_contracts import DamageContract, NetworkContract, SpaceContract

__all__ = [
    "AgingContract",
    "BackendContract",
    "BadNetwork",
    "ClockContract",
    "CrashContract",
    "DamageContract",
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
    "UrlContract",
    "ValuesContract",
    "backend_machine",
    "frame_of",
    "isolated_plugins",
    "key_of",
    "together",
]
