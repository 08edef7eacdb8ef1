"""``rave plugins``: the plugins that were found, what they add, and their problems."""

from __future__ import annotations

from typing import Any

import click

from rave_core import hookspecs
from rave_core.cli.ending import FAILED, Left
from rave_core.cli.output import heading, note, print_json, print_table
from rave_core.cli.session import current_session
from rave_core.cli.switches import json_option
from rave_core.lifecycle import PluginContext, RunningPlugins
from rave_core.plugins.discovery import FoundPlugin, LoadProblem, Plugins
from rave_core.runtime.runtime import Runtime


@click.command()
@click.option("--strict", is_flag=True, help="Exit with 1 if there are problems.")
@json_option(
    "{plugins: [{name, origin, hooks}], life: [{name, version, requires, error}], "
    "namespaces: [{name, origin, operations}], backends, buses, codecs, "
    "strategies, versions, converters, commands: [{name, origin}], problems: [{name, origin, error}]}"
)
def plugins(strict: bool, as_json: bool) -> None:
    """Show the plugins, what they add, and their problems."""
    session = current_session()
    session.hush()
    document = _document(session.runtime, session.catalog)
    if as_json:
        print_json(document)
    else:
        _print(document)
    if strict and document["problems"]:
        raise Left(FAILED)


def _document(runtime: Runtime, catalog: Any) -> dict[str, Any]:
    found = runtime.plugins
    context = PluginContext(runtime.settings, runtime.events, runtime.clock)
    life = RunningPlugins(found.calls(), context).declare()
    registered = _registered(found)  # first, because commands are loaded only now, and may have problems
    problems: list[LoadProblem] = [*found.problems, *catalog.problems]
    return {
        "plugins": [{"name": each.name, "origin": each.origin, "hooks": _hooks(each)} for each in found.found],
        "life": [
            {"name": each.name, "version": each.version, "requires": list(each.requires), "error": each.error}
            for each in life
        ],
        "namespaces": [
            {"name": space.name, "origin": space.origin, "operations": list(space.operations)}
            for space in catalog.namespaces.values()
        ],
        **registered,
        "problems": [{"name": problem.name, "origin": problem.origin, "error": problem.error} for problem in problems],
    }


def _hooks(found: FoundPlugin) -> list[str]:
    known = (name for name in vars(hookspecs) if name.startswith("rave_"))
    return [name for name in known if hasattr(found.plugin, name)]


def _registered(found: Plugins) -> dict[str, list[dict[str, str]]]:
    registries: dict[str, Any] = {
        "backends": found.backends,
        "buses": found.buses,
        "strategies": found.strategies,
        "versions": found.versions,
        "converters": found.converters,
        "commands": found.commands,
    }
    named = {kind: list(registry) for kind, registry in registries.items()}
    # Codecs form a sequence, so iterating over them gives codecs, not names.
    registries["codecs"], named["codecs"] = found.codecs, [codec.name for codec in found.codecs]
    return {
        kind: [{"name": name, "origin": registry.origin(name)} for name in named[kind]]
        for kind, registry in registries.items()
    }


def _print(document: dict[str, Any]) -> None:
    heading("Plugins")
    rows = [
        (each["name"], each["origin"], " ".join(each["hooks"]).replace("rave_", "")) for each in document["plugins"]
    ]
    print_table(("NAME", "FROM", "HOOKS"), rows)
    declared = [each for each in document["life"] if each["requires"] or each["error"] or each["version"] != "0"]
    if declared:
        click.echo()
        heading("In the order in which they start")
        print_table(
            ("NAME", "VERSION", "REQUIRES", "PROBLEM"),
            [(each["name"], each["version"], ", ".join(each["requires"]), each["error"]) for each in declared],
        )
    click.echo()
    heading("Namespaces")
    rows = [(space["name"], space["origin"], " ".join(space["operations"])) for space in document["namespaces"]]
    print_table(("NAME", "FROM", "OPERATIONS"), rows)
    click.echo()
    heading("What they add")
    kinds = ("backends", "buses", "codecs", "strategies", "versions", "converters", "commands")
    print_table(("KIND", "FROM", "NAMES"), [row for kind in kinds for row in _by_origin(kind, document[kind])])
    for problem in document["problems"]:
        note(f"warning: {problem['name']} ({problem['origin']}): {problem['error']}")


def _by_origin(kind: str, things: list[dict[str, str]]) -> list[tuple[str, str, str]]:
    names: dict[str, list[str]] = {}
    for thing in things:
        names.setdefault(thing["origin"], []).append(thing["name"])
    return [
        (kind if not number else "", origin, " ".join(found)) for number, (origin, found) in enumerate(names.items())
    ]
