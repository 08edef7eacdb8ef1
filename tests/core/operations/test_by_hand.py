"""Results that are put by hand, keywords that are ignored, what an outcome tells, and programs as products."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime, nocache, op, op_file
from rave_core.errors import DecorationError
from rave_core.model import Status


@op(name="by_hand/slow", ignore=["verbose"])
def slow(x: int, *, verbose: bool = False) -> list[int]:
    """Fails if it runs."""
    raise AssertionError("it ran")


@op(name="by_hand/keywords", ignore=["verbose"])
def keywords(x: int, **more: Any) -> tuple[int, ...]:
    """Takes whatever it is given."""
    return (x, *more)


@op_file(name="by_hand/tool", mime_type="text/x-sh")
def tool(out: str, word: str) -> None:
    """A program that says a word."""
    Path(out).write_text(f"#!/bin/sh\necho {word}\n")
    os.chmod(out, 0o755)


class Sensor:
    """Has a method."""

    def __init__(self, unit: str) -> None:
        self.unit = unit

    @op(name="by_hand/read")
    def read(self, x: int) -> str:
        """Fails if it runs."""
        raise AssertionError("it ran")


def test_a_result_can_be_put_by_hand(runtime: Runtime) -> None:
    """It answers as if the body had given it, for equal arguments, and goes as any other."""
    put = slow.put([1, 2], 5)
    assert (put.status, put.value, put.key) == (Status.REFRESHED, [1, 2], slow.key(5))
    assert put.entry is not None
    assert (put.entry.seconds, put.entry.children, put.entry.arguments["x"]) == (0.0, (), "5")
    assert slow(5, verbose=True) == [1, 2]
    assert slow.put([3], x=5).value == [3]
    assert slow(5) == [3]
    assert slow.invalidate(5) is True
    with pytest.raises(AssertionError, match="it ran"):
        slow(5)


def test_a_result_of_a_method_can_be_put_by_hand(runtime: Runtime) -> None:
    """The instance is an argument as any other."""
    Sensor("m").read.put("1 m", 1)
    assert Sensor("m").read(1) == "1 m"
    with pytest.raises(AssertionError, match="it ran"):
        Sensor("s").read(1)


def test_a_file_can_be_put_by_hand(runtime: Runtime, tmp_path: Path) -> None:
    """A copy of it becomes the product, and the file stays."""
    (tmp_path / "mine.sh").write_text("mine")
    put = tool.put(tmp_path / "mine.sh", "a")
    assert put.status is Status.REFRESHED
    assert Path(tool("a")).read_text() == "mine"
    assert (tmp_path / "mine.sh").exists()
    with pytest.raises(FileNotFoundError):
        tool.put(tmp_path / "absent", "a")
    assert Path(tool("a")).read_text() == "mine"


def test_what_is_not_kept_can_not_be_put(runtime: Runtime) -> None:
    """The outcome says so."""
    brief = op(name="by_hand/brief", expires=nocache)(lambda x: x)
    assert brief.put(1, 2).status is Status.UNCACHED


def test_keywords_in_kwargs_can_be_ignored(runtime: Runtime) -> None:
    """They reach the body and not the key; the others count."""
    assert keywords(1, verbose=True, a=1) == (1, "verbose", "a")
    assert keywords.resolve(1, a=1, verbose=False).is_hit
    assert not keywords.resolve(1, a=2).is_hit
    assert keywords.key(1) == keywords.key(1, verbose=1)
    with pytest.raises(DecorationError, match="ignore names 'verbse'"):
        op(name="by_hand/none", ignore=["verbse"])(lambda verbose: None)


def test_an_outcome_tells_whether_it_is_a_hit(runtime: Runtime) -> None:
    """Without a second call."""
    assert [keywords.resolve(7).is_hit for _ in range(2)] == [False, True]


def test_a_product_that_may_be_executed_stays_so(runtime: Runtime) -> None:
    """From the first call and from the cache, for those who may read it and no others."""
    for _ in range(2):
        path = tool("works")
        assert subprocess.run([path], capture_output=True, text=True, check=True).stdout == "works\n"
        mode = os.stat(path).st_mode & 0o777
        assert mode & 0o111 == (mode & 0o444) >> 2
