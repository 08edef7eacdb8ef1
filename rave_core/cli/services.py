"""``rave services``: what plugins run beside the workers."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Any

import click

from rave_core.cli.ending import FAILED, Left
from rave_core.cli.output import note, print_json, print_table
from rave_core.cli.session import current_session
from rave_core.cli.stop_signal import StopSignal
from rave_core.cli.switches import json_option
from rave_core.errors import UnknownNameError, nearest
from rave_core.lifecycle import PluginContext, RunningPlugins, Service
from rave_core.runtime.runtime import Runtime

_GRACE = 10.0


@click.group()
def services() -> None:
    """List and run what plugins run beside the workers.

    'rave serve' runs all of these services in a process of their own.
    """


@services.command("list")
@json_option("{services: [{name, scope}], problems: [{name, error}]}")
def list_services(as_json: bool) -> None:
    """List the services. The plugins start for this, and stop again."""
    session = current_session()
    running = _started(session.runtime)
    try:
        found = running.services()
        document: dict[str, Any] = {
            "services": [{"name": each.name, "scope": each.scope} for each in found],
            "problems": [{"name": each.name, "error": each.error} for each in running.states() if each.error],
        }
    finally:
        running.stop()
    if as_json:
        print_json(document)
        return
    print_table(("NAME", "SCOPE"), [(each["name"], each["scope"]) for each in document["services"]])
    for problem in document["problems"]:
        note(f"warning: plugin {problem['name']}: {problem['error']}")


@services.command("run")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
def run_services(names: tuple[str, ...]) -> None:
    """Run services in the foreground, until Ctrl-C or SIGTERM."""
    from rave_core.cli.service_runner import ServiceRunner

    session = current_session()
    ending = StopSignal(signal.SIGINT, signal.SIGTERM)
    running = _started(session.runtime)
    try:
        runner = ServiceRunner(_chosen(running.services(), names), session.runtime)
        runner.start()
        note(f"runs {', '.join(names)}; Ctrl-C stops it")
        ending.wait()
        running.drain(_GRACE)
        late = runner.stop(_GRACE)
    finally:
        running.stop()
    if late:
        note(f"{', '.join(late)} did not end within {_GRACE:g} s")
        raise Left(FAILED)


def _started(runtime: Runtime) -> RunningPlugins:
    running = RunningPlugins(runtime.plugins.calls(), PluginContext(runtime.settings, runtime.events, runtime.clock))
    running.check()
    running.start()
    return running


def _chosen(found: Sequence[Service], names: Sequence[str]) -> list[Service]:
    """The services of these names.

    Raises:
        UnknownNameError: there is none of a name.
    """
    known = {service.name: service for service in found}
    for name in names:
        if name not in known:
            raise UnknownNameError(f"there is no service {name!r}; {nearest(name, known)}")
    return [known[name] for name in dict.fromkeys(names)]
