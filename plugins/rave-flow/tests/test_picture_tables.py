"""The tables behind the pictures, and how pictures refer to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rave_flow.operations import count, top
from rave_flow.pictures.operations import PICTURES, __export__

from rave_core import Runtime

Serve = Callable[[Path], Runtime]


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_has_a_table_of_what_it_draws(sharing: Serve, generated: Path, name: str) -> None:
    """With the arguments of the picture, times and networks as people read them, and what is left out."""
    sharing(generated)
    asked = {"start": "2024-05-14T06:00", "end": "2024-05-14T12:00"}
    assert __export__[name].spec.behind == __export__[f"{name}/svg"].spec.behind == f"{name}/table"
    table: Any = __export__[f"{name}/table"](**asked)
    assert table.num_rows
    assert not {"bin", "name"} & set(table.column_names)
    assert b"rave.flow.skipped" in table.schema.metadata
    assert Path(__export__[name](**asked)).stat().st_size > 5000


def test_the_numbers_are_those_of_the_other_tables(sharing: Serve, generated: Path) -> None:
    """Of the timeline those of count, of the talkers those of top, of the space and the mix those of all flows."""
    sharing(generated)
    bins: dict[Any, int] = {}
    for row in __export__["timeline/table"](bin="1h").to_pylist():
        bins[row["ts"]] = bins.get(row["ts"], 0) + row["bytes"]
    assert bins == {row["ts"]: row["bytes"] for row in count(bin="1h").to_pylist() if row["flows"]}
    assert __export__["talkers/table"](over="dst", n=4).equals(top(n=4, over="dst"))
    flows = top(over="proto")["flows"]
    assert sum(__export__["mix/table"]()["flows"].to_pylist()) == sum(flows.to_pylist())
    nets = __export__["addresses/table"](prefix=8)
    assert sum(nets["amount"].to_pylist()) == sum(flows.to_pylist())
    assert "10.0.0.0/8" in nets["net"].to_pylist()


@pytest.mark.parametrize("name", PICTURES)
def test_an_svg_links_to_its_table(sharing: Serve, generated: Path, name: str) -> None:
    """Relative to its own URL, with the arguments that are not the defaults."""
    sharing(generated)
    drawn = Path(__export__[f"{name}/svg"](start="2024-05-14T06:00")).read_text()
    (link,) = re.findall(r'href="(table[^"]*)"', drawn)
    assert link == "table?start=2024-05-14T06%3A00%3A00%2B00%3A00"
    (plain,) = re.findall(r'href="(table[^"]*)"', Path(__export__[f"{name}/svg"]()).read_text())
    assert plain == "table"
