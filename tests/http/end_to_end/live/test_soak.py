"""Half a minute of everything at once: load of all kinds, reloads, edits of code, killed workers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_half_a_minute_of_everything_loses_nothing_and_gives_nothing_wrong() -> None:
    """No product is lost or wrong, nothing grows, and nothing is left over; `make soak` takes longer.

    Half of it is calm; in the other half there are a HUP, a killed worker and several edits.
    """
    command = [sys.executable, str(ROOT / "benchmarks" / "soak.py"), "--minutes", "0.5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
