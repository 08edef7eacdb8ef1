"""``rave flow generate``: a day of traffic to try things out."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rave_flow.generate import Scenario

DAY = "2024-05-14"


@click.group("flow")
def flow() -> None:
    """Network flow: make logs to try things on."""


@flow.command("generate")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), default=DAY, show_default=True, help="The day, in UTC.")
@click.option("--flows", type=click.IntRange(min=100), default=200_000, show_default=True, help="How many flows.")
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True, help="Equal seeds give equal days.")
@click.option("--json", "as_json", is_flag=True, help="Print facts as JSON.")
def generate(directory: Path, day: datetime, flows: int, seed: int, as_json: bool) -> None:
    """Write a day of Zeek connection logs, one for each hour, to DIRECTORY/DAY."""
    from rave_flow.generate import Scenario

    try:
        paths = _write_with_progress(directory, Scenario(day.date(), flows, seed))
    except OSError as error:
        raise click.ClickException(f"{error.filename or directory}: {error.strerror or error}") from error
    size = sum(path.stat().st_size for path in paths)
    folder = str(paths[0].parent.absolute())
    if as_json:
        click.echo(json.dumps({"directory": folder, "files": len(paths), "bytes": size, "flows": flows}))
    else:
        click.echo(f"{flows} flows in {len(paths)} logs, {size} bytes, in {folder}")


def _write_with_progress(directory: Path, scenario: Scenario) -> list[Path]:
    from rave_flow.generate import write_day

    stream = sys.stderr
    if not stream.isatty():
        return write_day(directory, scenario)
    with click.progressbar(length=24, label="writing logs", file=stream) as bar:
        return write_day(directory, scenario, lambda done, _total, _name: bar.update(int(done - bar.pos)))
