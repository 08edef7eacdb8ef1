"""``rave dashboards``: lists the dashboards of a service, and moves them."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any

import click

from rave_core.cli.ending import FAILED, Left
from rave_core.cli.output import note, print_json, print_table, say
from rave_core.cli.switches import json_option
from rave_http.cli.service_choice import chosen_client, service_options

if TYPE_CHECKING:
    from rave_http.client import StoredDashboard

_PATH = click.argument("path", metavar="OWNER/NAME")


@click.group()
def dashboards() -> None:
    """List the dashboards of a service, and move them.

    The API key comes from --key-file or the variable RAVE_KEY. Without --url, the service is the one that the settings
    describe.
    """


@dashboards.command("ls")
@service_options
@json_option("{dashboards: [{owner, name, title, shared, etag, by, modified}]}")
def list_dashboards(url: str | None, key_file: IO[str] | None, as_json: bool) -> None:
    """List the dashboards that you may see: your own first, then others by title."""
    with chosen_client(url, key_file) as client:
        found = client.dashboards.list()
    if as_json:
        print_json({"dashboards": [_facts(each) for each in found]})
    elif not found:
        note("there are no dashboards that you may see")
    else:
        rows = [(each.path, each.title, ", ".join(each.shared), each.by, each.modified[:19]) for each in found]
        print_table(("DASHBOARD", "TITLE", "SHARED WITH", "BY", "SAVED"), rows, cut=[1, 2])


@dashboards.command()
@_PATH
@click.option("--version", type=click.IntRange(1), metavar="N", help="An earlier version.")
@service_options
def show(path: str, version: int | None, url: str | None, key_file: IO[str] | None) -> None:
    """Show what a dashboard says, as its form has it."""
    import msgspec

    from rave_http.description.dashboard_texts import DashboardTexts
    from rave_http.description.dashboards import Dashboard

    with chosen_client(url, key_file) as client:
        found = client.dashboards.get(path, version)
    try:
        board = msgspec.convert(found.document, Dashboard)
    except msgspec.ValidationError as error:
        note(f"error: this version of RAVE can't read it: {error}; 'rave dashboards export' writes it as it is")
        raise Left(FAILED) from None
    for line in DashboardTexts.of(board).lines:
        say(line)


@dashboards.command("export")
@_PATH
@click.option("-o", "--output", type=click.File("w", lazy=True), default="-", metavar="FILE", help="Write to FILE.")
@click.option("--version", type=click.IntRange(1), metavar="N", help="An earlier version.")
@service_options
def export_dashboard(
    path: str, output: IO[str], version: int | None, url: str | None, key_file: IO[str] | None
) -> None:
    """Write the document of a dashboard, as JSON."""
    with chosen_client(url, key_file) as client:
        found = client.dashboards.get(path, version)
    json.dump(found.document, output, indent=1)
    output.write("\n")


@dashboards.command("import")
@_PATH
@click.argument("file", type=click.File("rb"))
@click.option("--replace", is_flag=True, help="Save it as the next version, if there is one already.")
@service_options
@json_option("{owner, name, title, shared, etag, by, modified}")
def import_dashboard(
    path: str, file: IO[bytes], replace: bool, url: str | None, key_file: IO[str] | None, as_json: bool
) -> None:
    """Save the document in FILE (- for standard input) as a dashboard of yours, or one that is shared with you."""
    from rave_http.client import PreconditionFailed

    document = _read(file)
    with chosen_client(url, key_file) as client:
        try:
            saved = client.dashboards.save(path, document, is_new=not replace)
        except PreconditionFailed:
            note(f"error: there is a dashboard {path} already; --replace saves this one as its next version")
            raise Left(FAILED) from None
    if as_json:
        print_json(_facts(saved))
    else:
        version = saved.etag.strip('"')
        note(f"{saved.path} is saved, version {version}")


@dashboards.command("rm")
@_PATH
@click.option("--as-of", metavar="ID", help="Remove only what was frozen of it as ID.")
@service_options
def remove(path: str, as_of: str | None, url: str | None, key_file: IO[str] | None) -> None:
    """Remove a dashboard of yours, or what was frozen of one."""
    with chosen_client(url, key_file) as client:
        if as_of is None:
            client.dashboards.remove(path)
        else:
            client.dashboards.remove_frozen(path, as_of)
    note(f"{path} is removed" if as_of is None else f"{path} as of {as_of} is removed")


@dashboards.command("frozen")
@_PATH
@service_options
@json_option("{frozen: [{as_of, by, frozen}]}")
def list_frozen(path: str, url: str | None, key_file: IO[str] | None, as_json: bool) -> None:
    """List what was frozen of a dashboard, the newest first."""
    with chosen_client(url, key_file) as client:
        found = client.dashboards.frozen(path)
    if as_json:
        print_json({"frozen": [{"as_of": each.as_of, "by": each.by, "frozen": each.frozen} for each in found]})
    elif not found:
        note(f"nothing was frozen of {path}")
    else:
        print_table(("AS OF", "BY", "FROZEN"), [(each.as_of, each.by, each.frozen[:19]) for each in found])


def _read(file: IO[bytes]) -> dict[str, Any]:
    """The document in a file.

    Raises:
        UsageError: it holds none.
    """
    try:
        found = json.load(file)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{file.name} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise click.UsageError(f"{file.name} holds no dashboard: it is no JSON object")
    return found


def _facts(found: StoredDashboard) -> dict[str, Any]:
    return {
        "owner": found.owner,
        "name": found.name,
        "title": found.title,
        "shared": list(found.shared),
        "etag": found.etag,
        "by": found.by,
        "modified": found.modified,
    }
