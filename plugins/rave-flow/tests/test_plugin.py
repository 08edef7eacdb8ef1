"""What the package adds to RAVE."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rave_flow import plugin
from rave_flow.arguments.converters import CONVERTERS
from rave_flow.arguments.name_sources import CONVERTERS as OF_NAMES
from rave_flow.arguments.silk_converters import CONVERTERS as NAMED
from rave_flow.operations import tables
from rave_flow.pictures import operations

from rave_core import Runtime
from rave_core.registry import Registry


def test_converters_and_command_are_registered_by_name() -> None:
    """Each in its registry, so that other plugins can use them."""
    converters: Registry[Any] = Registry("converter")
    commands: Registry[Any] = Registry("command")
    plugin.rave_register_converters(converters)
    plugin.rave_register_commands(commands)
    assert set(converters) == set(CONVERTERS) | set(NAMED) | set(OF_NAMES)
    assert list(commands) == ["flow"]


def test_every_export_has_a_typemap_and_a_mime_type() -> None:
    """So that each can be asked for over HTTP."""
    names = {"beacons", "count", "daily", "hourly", "long_connections", "new_services", "scans", "top"}
    assert set(tables.__export__) == names
    for operation in tables.__export__.values():
        assert operation.spec.typemap is not None
        assert operation.spec.mime_type == tables.ARROW
    for name, picture in operations.__export__.items():
        assert picture.spec.typemap is not None
        kinds = {"svg": "image/svg+xml", "table": tables.ARROW}
        assert picture.spec.mime_type == kinds.get(name.partition("/")[2], "image/png")


def test_the_version_follows_the_modules_that_make_answers(serving: Callable[[Path], Runtime], generated: Path) -> None:
    """Not only the operation's own: a change in any function on the way makes another version."""
    serving(generated)
    nodes = tables.top.resolved().version.nodes
    modules = {label.partition(":")[0] for label in nodes if ":" in label}
    assert {"rave_flow.operations.tables", "rave_flow.steps"} <= modules
    assert any(module.startswith("rave_flow.sql.") for module in modules)
    assert any(module.startswith("rave_flow.formats.") for module in modules)
    assert "package duckdb" in nodes


@pytest.mark.parametrize(
    ("name", "value", "converted"),
    [
        ("flow_time", "2024-05-14T12:00:00+02:00", datetime(2024, 5, 14, 10, tzinfo=UTC)),
        ("flow_time", date(2024, 5, 14), datetime(2024, 5, 14, tzinfo=UTC)),
        ("flow_day", "2024-05-14", datetime(2024, 5, 14, tzinfo=UTC)),
        ("flow_day", datetime(2024, 5, 14, tzinfo=UTC), datetime(2024, 5, 14, tzinfo=UTC)),
        ("flow_width", "1h30m", 5400),
        ("flow_width", timedelta(minutes=5), 300),
        ("flow_number", "7", 7),
        ("flow_measure", " Bytes ", "bytes"),
        ("flow_protocol", "TCP", "tcp"),
    ],
)
def test_a_converter_gives_one_value_for_all_ways_of_writing_it(name: str, value: object, converted: object) -> None:
    """What is converted stays as it is when it is converted again."""
    assert CONVERTERS[name].convert(value) == converted
    assert CONVERTERS[name].convert(converted) == converted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("flow_time", 5),
        ("flow_day", "2024-05-14T01:00"),
        ("flow_width", "0s"),
        ("flow_number", True),
        ("flow_number", "many"),
        ("flow_measure", None),
        ("flow_protocol", " "),
        ("flow_protocol", 6),
    ],
)
def test_a_converter_refuses_what_it_can_not_mean(name: str, value: object) -> None:
    """By TypeError or ValueError, as the core expects."""
    with pytest.raises((TypeError, ValueError)):
        CONVERTERS[name].convert(value)


@pytest.mark.parametrize("name", ["flow_number", "flow_connections", "flow_probability", "flow_score"])
@pytest.mark.parametrize("value", ["many", float("nan"), None, [1]])
def test_what_is_no_number_is_refused_in_words(name: str, value: object) -> None:
    """And not in Python's own, which mean nothing to who asks."""
    with pytest.raises(ValueError, match=r"^expected a (whole )?number"):
        CONVERTERS[name].convert(value)


def test_every_run_tells_what_is_left_out(zeek: Callable[..., Path], line: Callable[..., str], tmp_path: Path) -> None:
    """On standard error, also where the answer is kept."""
    logs = zeek([line(), "cut"])
    command = [str(Path(sys.executable).with_name("rave")), "run", "flow/top", "--format", "csv"]
    settings = tmp_path / "rave.toml"
    settings.write_text(f'cache = "file://{tmp_path}/cache"\nproducts = "file://{tmp_path}/products"\n')
    environment = {**os.environ, "RAVE_CONFIG": str(settings), "RAVE_FLOW_DIRECTORY": str(logs)}
    for _ in range(2):
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert (
            "1 line left out: 1 cut, of another number of fields, or no JSON; first: logs/conn.log: line 5"
            in ran.stderr
        )
        assert ran.stdout.splitlines()[1].startswith("10.0.0.1,150,5,1")
