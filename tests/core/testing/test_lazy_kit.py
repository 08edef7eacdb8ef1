"""The testing kit without the libraries that its contracts need."""

from __future__ import annotations

import subprocess
import sys

import rave_core.testing

PROGRAM = """
import sys
for name in ("pytest", "hypothesis"):
    sys.modules[name] = None
import rave_core.testing
print(rave_core.testing.FakeClock(5.0).now(), rave_core.testing.BadNetwork, rave_core.testing.isolated_plugins)
try:
    rave_core.testing.BackendContract
except ImportError as error:
    print(error.name)
"""


def test_the_kit_is_imported_without_pytest_and_hypothesis() -> None:
    """The clock, the network and the plugins need neither; a contract says what it needs."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    assert done.stdout.split()[0] == "5.0"
    assert done.stdout.split()[-1] == "pytest"


def test_every_name_of_the_kit_is_there() -> None:
    """What is listed can be had, and is listed in order."""
    assert sorted(rave_core.testing.__all__) == rave_core.testing.__all__
    assert all(hasattr(rave_core.testing, name) for name in rave_core.testing.__all__)
    assert set(rave_core.testing.__all__) <= set(dir(rave_core.testing))
