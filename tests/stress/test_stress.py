"""The stress, for ten seconds: ``make stress`` runs it for longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stress.supervisor import stress


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_kills_edits_forks_and_cycles_give_no_wrong_answer(tmp_path: Path) -> None:
    """Four processes share caches that evict. How long a call takes is left to a machine that does nothing else."""
    found = stress(tmp_path, 10)
    assert found.calls > 0
    assert [line for line in found.bad if not line.startswith("SLOW")] == [], found
