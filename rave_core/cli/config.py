"""``rave config``: every setting, and where its value came from."""

from __future__ import annotations

from collections.abc import Mapping

import click

from rave_core.cli.output import note, print_json, print_table
from rave_core.cli.session import current_session
from rave_core.cli.switches import json_option


@click.command()
@json_option("{settings: {name: {value, origin}}, ignored_variables}")
def config(as_json: bool) -> None:
    """Show every setting, and where its value came from.

    Each can be set in rave.toml, by a variable RAVE_NAME, or with --set NAME=VALUE in front of the command. Passwords
    and the like are hidden.
    """
    settings = current_session().settings
    explained = settings.explain()
    if as_json:
        values = {name: {"value": value, "origin": origin} for name, value, origin in explained}
        print_json({"settings": values, "ignored_variables": settings.ignored_variables})
        return
    print_table(
        ("SETTING", "VALUE", "FROM"), [(name, _shown(name, value), origin) for name, value, origin in explained]
    )
    for variable in settings.ignored_variables:
        note(f"warning: {variable} is set, but it is no setting")


def _shown(name: str, value: object) -> str:
    """A value much as one would write it."""
    if value is None:
        return "never" if name.endswith("_expire_after") else "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {inner}" for name, inner in value.items()) or "-"
    if isinstance(value, (tuple, list)):
        return " ".join(map(str, value)) or "-"
    return f"{value:g} s" if isinstance(value, float) else str(value)
