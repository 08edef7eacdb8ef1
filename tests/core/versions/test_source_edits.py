"""The strategy ``source``: edits that count, and edits that do not."""

from __future__ import annotations

import builtins
import decimal
import fractions
import json
import locale
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rave_core import Runtime, using
from tests.core.versions.programs import Edit, edits, loaded

EDITS = edits()


@pytest.fixture(autouse=True)
def _source(make_runtime: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Versions are those of the code that is reached."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with using(make_runtime(version="source", cache=["memory://"])):
        yield


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """What programs change in Python's library is as it was after each test."""
    names, before, drawn = dict(vars(builtins)), locale.setlocale(locale.LC_ALL), random.getstate()
    with decimal.localcontext():
        yield
    for name in vars(builtins).keys() - names.keys():
        delattr(builtins, name)
    vars(builtins).update(names)
    locale.setlocale(locale.LC_ALL, before)
    random.setstate(drawn)
    for module in (json, fractions.Fraction):
        for name in ("limit", "mine"):
            if name in vars(module):
                delattr(module, name)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_an_edit_makes_another_version_if_it_can_change_the_result(tmp_path: Path, edit: Edit) -> None:
    """And only then. What can't be followed is listed."""
    with loaded(tmp_path / "before", edit.before) as program:
        before = program.f.resolved().version
    with loaded(tmp_path / "after", edit.after) as program:
        after = program.f.resolved().version
    assert (before.text != after.text) is edit.is_new, (before, after)
    assert bool(before.untracked) is edit.is_told, before.untracked


@pytest.mark.parametrize("edit", EDITS[::6], ids=lambda edit: edit.name)
def test_a_program_has_one_version_wherever_it_lies(tmp_path: Path, edit: Edit) -> None:
    """And however often it is loaded."""
    found = set()
    for place in ("a", "b/c", "a"):
        with loaded(tmp_path / place, edit.before) as program:
            found.add(program.f.resolved().version.text)
    assert len(found) == 1


def test_a_number_too_long_for_decimals_counts(tmp_path: Path) -> None:
    """Python refuses to write it as text."""
    found = set()
    for last in "12":
        text = f"from rave_core import op\n@op\ndef f(x):\n    return x + 0x{'f' * 5000}{last}\n"
        with loaded(tmp_path / last, {"program.py": text}) as program:
            found.add(program.f.resolved().version.text)
            assert program.f.resolved().version.note == "source"
    assert len(found) == 2


UFUNC = """
import numpy
from rave_core import op
@lambda function: numpy.frompyfunc(function, 1, 1)
def g(x):
    return x + {}
@op
def f(x):
    return g(x)
"""
ATTRS = """
import attrs
from rave_core import op
def converted(x):
    return x + {}
@attrs.define
class Point:
    x: int = attrs.field(converter=converted)
@op
def f(x):
    return Point(x).x
"""
POLARS = """
import polars
from rave_core import op
def g(x):
    return x + {}
STEP = polars.col("a").map_batches(g, return_dtype=polars.Int64)
@op
def f(x):
    return x.select(STEP)
"""


@pytest.mark.parametrize("text", [UFUNC, ATTRS, POLARS], ids=["numpy", "attrs", "polars"])
def test_code_that_a_library_wraps_counts(tmp_path: Path, text: str) -> None:
    """Where the library hides it, by the statements that use it."""
    found = set()
    for number in (1, 2, 1):
        with loaded(tmp_path / f"{len(found)}-{number}", {"program.py": text.format(number)}) as program:
            found.add(program.f.resolved().version.text)
    assert len(found) == 2


def test_a_function_in_an_expression_counts_in_the_key_of_a_call(tmp_path: Path) -> None:
    """The expression itself only names it."""
    found = set()
    for number in (1, 2):
        with loaded(tmp_path / str(number), {"program.py": POLARS.format(number)}) as program:
            found.add(program.f.key(program.STEP).arguments)
    assert len(found) == 2
