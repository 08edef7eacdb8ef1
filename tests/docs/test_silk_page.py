"""The page about SiLK's tools, and the table of ours: every name, switch and default is that of the code."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rave_flow import silk

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "silk.md"
README = ROOT / "plugins" / "rave-flow" / "README.md"
OTHERWISE = {
    "rwset --sip-file": "sip", "rwset --dip-file": "dip", "rwbagtool --mincounter": "min_counter",
    "rwbagtool --maxcounter": "max_counter", "rwbagtool --coverset": None, "rwstats --top": None,
    **{f"rwbagtool --{name}": "operation" for name in ("add", "subtract", "minimize", "maximize", "divide")},
}  # fmt: skip
"""Switches whose name differs here; ``None`` for those that the page explains in words."""


def parameters(tool: str) -> dict[str, Any]:
    """The parameters of one of our tools with their defaults; for ``rwfilter`` with all options."""
    from rave_flow.operations import __export__

    function = getattr(silk, tool)
    found = dict(inspect.signature(getattr(function, "function", function)).parameters)
    if tool == "rwfilter":
        found |= __export__["rwfilter"].spec.signature.parameters
    return {name: parameter.default for name, parameter in found.items()}


def rows(path: Path, title: str) -> Iterator[tuple[str, list[str]]]:
    """The cells of the tables whose first title is ``title``, each with the heading above it."""
    heading, is_inside = "", False
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("#"):
            heading = line.strip("# ")
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and cells[0] == title:
            is_inside = True
        elif not cells:
            is_inside = False
        elif is_inside and set(cells[0]) != {"-"}:
            yield heading, cells


def words(cell: str) -> list[str]:
    """What stands in backticks, word by word."""
    return [word for code in re.findall(r"`([^`]+)`", cell) for word in code.split()]


def claims() -> Iterator[tuple[str, str]]:
    """Each tool with a switch of SiLK's that we claim to have."""
    for heading, (theirs, ours, *_) in rows(PAGE, "SiLK"):
        tool = "rwfilter"
        for word in words(theirs) if ours != "none" else []:
            if word.startswith("rw"):
                tool = word
            elif heading == "rwfilter" and ours != "the same":
                continue  # the names are in the second column
            elif not word.endswith(("…", "-")):
                yield tool, word


def test_every_switch_that_the_page_says_we_have_exists() -> None:
    """Under the same name, or the one that is given here."""
    wrong = []
    for tool, switch in claims():
        name = OTHERWISE.get(f"{tool} {switch}", switch.removeprefix("--").replace("-", "_"))
        if name is not None and name not in parameters(tool):
            wrong.append(f"{tool} {switch}")
    assert wrong == []
    assert len(list(claims())) > 50


def test_every_name_of_ours_on_the_page_exists() -> None:
    """Tools, operations, and options of rwfilter."""
    from rave_flow.operations import __export__

    wrong = []
    for heading, (_, ours, *_) in rows(PAGE, "SiLK"):
        for word in re.findall(r"`([^`]+)`", ours):
            tool, _, rest = word.partition("(")
            if tool.startswith("flow/"):
                is_there = tool.removeprefix("flow/") in __export__
            elif tool.startswith("rw"):
                named = re.findall(r"(\w+)=", rest)
                is_there = hasattr(silk, tool) and set(named) <= set(parameters(tool))
            else:
                is_there = heading == "rwfilter" and (word in parameters("rwfilter") or word == "not_…")
            wrong += [] if is_there else [f"{heading}: {word}"]
    assert wrong == []


def tools() -> dict[str, str]:
    """The second cell of the table of our tools, by tool, where it lists options."""
    found = {}
    for _, (tool, options, *_) in rows(README, "tool"):
        for name in re.findall(r"`(rw\w+)", tool):
            found[name] = options if len(re.findall(r"`(rw\w+)", tool)) == 1 else ""
    return found


def test_the_table_of_tools_has_all_of_them() -> None:
    """Each that can be imported."""
    assert sorted(tools()) == sorted(name for name in silk.__all__ if name.startswith("rw"))


@pytest.mark.parametrize("tool", [name for name, options in tools().items() if options])
def test_the_table_of_tools_has_their_options_and_defaults(tool: str) -> None:
    """All of them, and the defaults that it gives are those of the signature."""
    listed = {word.partition("=")[0]: word.partition("=")[2] for word in words(tools()[tool])}
    given = parameters(tool)
    for name, default in listed.items():
        assert name in given
        assert not default or str(given[name]) in (default, f"{default}.0")
    if tool != "rwfilter":
        own = {name for name in given if name not in ("flows", "queries", "responses", "addresses", "sets", "bag")}
        assert own <= set(listed)


def test_the_options_of_rwfilter_are_all_there() -> None:
    """In the table of their values; each has a counterpart that starts with ``not_``."""
    listed = {word for _, (options, _) in rows(README, "option of `rwfilter`") for word in words(options)}
    flags = {name for name in silk_options() if name.endswith("_flag")}
    assert listed | flags == silk_options() | {"start_date", "end_date"}


def silk_options() -> set[str]:
    """The options that filter, without their counterparts."""
    from rave_flow.sql.silk_options import READERS

    assert {f"not_{name}" for name in READERS if not name.startswith("not_")} < READERS.keys()
    return {name for name in READERS if not name.startswith("not_")}
