"""Code that was replaced is let go: a long process in which code is edited does not grow."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from rave_core import Runtime, using
from rave_core.versions.source.facts import Facts

TEXT = """
from dataclasses import dataclass
from rave_core import op
TABLE = list(range(100))
@dataclass
class A:
    n: int
    def go(self):
        return helper(self.n) + {number}
def helper(x):
    return x + len(TABLE)
@op
def f(x):
    return A(x).go()
@op
def g(a, by):
    return a.go() + by(1)
"""
EDITS = 30


def _again(module: ModuleType) -> ModuleType:
    return importlib.reload(module)


def _afresh(module: ModuleType) -> ModuleType:
    del sys.modules[module.__name__]
    return importlib.import_module(module.__name__)


@pytest.mark.parametrize("load", [_again, _afresh])
def test_edits_keep_no_old_code_alive(
    make_runtime: Callable[..., Runtime],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    load: Callable[[ModuleType], ModuleType],
) -> None:
    """Neither functions, classes and operations, nor what was found out about their sources."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "edited_often.py"
    path.write_text(TEXT.format(number=0))
    module = importlib.import_module("edited_often")
    made: list[weakref.ref[object]] = []
    try:
        with using(make_runtime(cache=["memory://"])):
            for number in range(1, EDITS + 1):
                path.write_text(TEXT.format(number=number))
                os.utime(path, (number, number))
                module = load(module)
                assert module.f(1) == 101 + number
                assert module.g(module.A(2), module.helper) == 102 + number + 101
                made += map(weakref.ref, (module.A, module.A.go.__code__, module.helper, module.f))
            gc.collect()
            alive = [each() for each in made[:-4] if each() is not None]
            facts = [each for each in gc.get_objects() if isinstance(each, Facts) and b"TABLE = list(ra" in each.source]
    finally:
        sys.modules.pop("edited_often", None)
    assert alive == []
    assert len(facts) <= 4
