from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def test_a_miss_is_explained_by_what_differs(shell: Callable[..., Any]) -> None:
    """The argument, its kept and its asked value."""
    shell("run", "lab/add", "1", "2")
    text = shell("explain", "lab/add", "1", "3").stdout
    assert text.startswith("lab/add(a=1, b=3)\n")
    assert "answer   miss: b differs from the nearest stored call" in text
    assert "b        2 → 3" in text


def test_an_explanation_as_json_has_its_documented_keys(shell: Callable[..., Any]) -> None:
    """One document with the entry of a hit, or the nearest of a miss."""
    shell("run", "lab/add", "1", "2")
    hit = json.loads(shell("explain", "lab/add", "1", "2", "--json").stdout)
    assert hit["status"] == "hit"
    assert hit["entry"]["key"] == hit["key"]
    miss = json.loads(shell("explain", "lab/add", "1", "3", "--json").stdout)
    assert miss["status"] == "miss"
    assert miss["entry"] is None
    assert miss["nearest"]["key"] == hit["key"]
    assert miss["differences"] == [{"what": "argument", "name": "b", "kept": "2", "asked": "3"}]


def test_a_plan_shows_steps_and_their_time(shell: Callable[..., Any]) -> None:
    """A kept call needs nothing; one that was never made is estimated from others."""
    shell("run", "lab/total", "numbers=1,2")
    assert "Nothing has to run: the result is stored." in shell("plan", "lab/total", "numbers=1,2").stdout
    text = shell("plan", "lab/total", "numbers=3").stdout
    assert "other calls of the operation" in text
    assert "It has to run; about " in text
    assert "how long is not known" in shell("plan", "lab/slow", "3").stdout


def test_a_plan_as_json_has_its_documented_keys(shell: Callable[..., Any], keys: Callable[..., list[str]]) -> None:
    """Steps in order, each with its depth; a removed root needs its own time, its parts are kept."""
    shell("run", "lab/total", "numbers=1,2")
    document = json.loads(shell("plan", "lab/total", "numbers=1,2", "--json").stdout)
    assert document == {
        "operation": "lab/total",
        "seconds": 0,
        "to_run": 0,
        "steps": [
            {
                "depth": 0,
                "operation": "lab/total",
                "arguments": {"numbers": "[1, 2]"},
                "key": keys("lab/total/")[0],
                "need": "cached",
                "seconds": 0,
                "basis": None,
            }
        ],
    }


def test_nothing_is_run_by_explaining_or_planning(shell: Callable[..., Any], keys: Callable[..., list[str]]) -> None:
    """An operation that would fail can be explained and planned."""
    for command in ("explain", "plan"):
        assert shell(command, "lab/fail", "x").exit_code == 0
    assert keys() == []
