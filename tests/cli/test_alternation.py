"""What ``rave doctor`` says of versions that alternate."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rave_core import Runtime, using
from rave_core.cli.alternation import alternations
from rave_core.storage.listing import entries
from rave_core.testing import FakeClock
from tests.core.versions.programs import HEAD, loaded

PROGRAM = HEAD + "LIMIT = {limit}\n@op\ndef f(x):\n    return x + LIMIT\n@op(version=1)\ndef g(x):\n    return x\n"


@pytest.mark.parametrize(
    ("limits", "returns"), [([1, 2, 1, 2], 2), ([1, 2, 1, 2, 3, 1], 3), ([1, 2, 1], None), ([1, 2, 3, 4], None)]
)
def test_versions_that_come_back_again_and_again_are_named(
    make_runtime: Callable[..., Runtime],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limits: list[int],
    returns: int | None,
) -> None:
    """With what differs. An edit, one that is undone, and several in a row are nothing to tell."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    clock = FakeClock()
    with make_runtime(clock=clock) as runtime, using(runtime):
        for number, limit in enumerate(limits):
            with loaded(tmp_path / "code", {"program.py": PROGRAM.format(limit=limit)}) as program:
                program.f(number)
                program.g(number)
            clock.advance(1)
        found = list(alternations(entries(runtime.cache)))
    assert [(each.operation, each.returns) for each in found] == ([] if returns is None else [("program:f", returns)])
    assert all(each.differing == ("program.LIMIT",) for each in found)
