"""``rave config``: every setting, and where its value comes from."""

from __future__ import annotations

from collections.abc import Mapping

import click

from rave_core.cli.ending import USAGE, Left
from rave_core.cli.output import note, print_json, print_table, say
from rave_core.cli.session import current_session
from rave_core.cli.switches import json_option
from rave_core.errors import OptionError
from rave_core.plugins.discovery import Plugins
from rave_core.settings import Settings
from rave_core.settings import trust as trusting


@click.group(invoke_without_command=True)
@json_option("{settings: {name: {value, origin}}, ignored_variables, left_out, mistakes}")
@click.pass_context
def config(context: click.Context, as_json: bool) -> None:
    """Show every setting, and where its value comes from.

    You can set each in rave.toml, by a variable RAVE_NAME, or with --set NAME=VALUE before the command. Passwords and
    other secrets are hidden. Exits with 2 if the table of the service or of a plugin has a mistake.
    """
    if context.invoked_subcommand is not None:
        return
    settings = current_session().settings
    mistakes = Plugins.installed(settings.disabled_plugins).mistakes(settings)
    _print(settings, mistakes, as_json=as_json)
    if mistakes:
        raise Left(USAGE)


def _print(settings: Settings, mistakes: list[str], *, as_json: bool) -> None:
    explained = settings.explain()
    if as_json:
        values = {name: {"value": value, "origin": origin} for name, value, origin in explained}
        told = {"ignored_variables": settings.ignored_variables, "left_out": settings.left_out, "mistakes": mistakes}
        print_json({"settings": values, **told})
        return
    print_table(
        ("SETTING", "VALUE", "FROM"), [(name, _shown(name, value), origin) for name, value, origin in explained]
    )
    for variable in settings.ignored_variables:
        note(f"warning: {variable} is set, but it is not a setting")
    for mistake in mistakes:
        note(f"error: {mistake}")


@config.command()
@click.argument("directory", metavar="[DIR]", required=False)
@click.option("--list", "as_list", is_flag=True, help="Show the directories that you trust.")
@click.option("--remove", is_flag=True, help="Stop trusting DIR.")
@json_option("{trusted: [DIR, ...]}, as they are now")
def trust(directory: str | None, as_list: bool, remove: bool, as_json: bool) -> None:
    """Trust DIR and everything below it, even if others can change it.

    RAVE refuses settings, namespaces and signing keys that belong to another user or that others can write to, because
    they choose which code runs as you. This command allows them. The list applies to you only.
    """
    if (directory is None) is not as_list or (as_list and remove):
        raise click.UsageError("name one directory, or give --list")
    if directory is not None and not remove:
        place = trusting.trust(directory)
        note(f"what is in {place} is trusted now")
    elif directory is not None and not trusting.distrust(directory):
        raise OptionError(f"{directory!r} was not trusted; 'rave config trust --list' shows what is")
    if as_json:
        print_json({"trusted": trusting.trusted()})
    elif as_list:
        for each in trusting.trusted():
            say(each)


def _shown(name: str, value: object) -> str:
    """A value, roughly as you would write it."""
    if value is None:
        return "never" if name.endswith("_expire_after") else "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {inner}" for name, inner in value.items()) or "-"
    if isinstance(value, (tuple, list)):
        return " ".join(map(str, value)) or "-"
    return f"{value:g} s" if isinstance(value, float) else str(value)
