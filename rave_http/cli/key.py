"""``rave key``: makes, lists and revokes the API keys of the service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import click

from rave_core.cli.output import note, print_json, print_table
from rave_core.cli.session import current_session
from rave_core.cli.switches import json_option
from rave_core.clock import Clock, SystemClock
from rave_core.text.durations import parse_duration
from rave_core.text.humanize import span, until
from rave_http.auth.api_key_file import ApiKey
from rave_http.auth.api_keys import KeyStore
from rave_http.settings import PERMISSIONS, ServiceSettings

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def key() -> None:
    """Make, list and revoke the API keys of the service's users.

    The keys are in the file that the setting keys_file of the service names, which belongs to the user who runs the
    service: run these commands as that user. A running service follows within two seconds.
    """


def file_option(command: F) -> F:
    """Adds the switch ``--keys-file``."""
    option = click.option(
        "--keys-file", "path", metavar="FILE", type=click.Path(dir_okay=False), help="The file of the keys."
    )
    return option(command)


def _seconds(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    """The seconds of ``--expires``."""
    if value is None:
        return None
    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@key.command()
@click.argument("user")
@click.option("--note", "text", metavar="TEXT", default="", help="What the key is for.")
@click.option("--expires", metavar="TIME", callback=_seconds, help="How long it is valid, such as 90d; else forever.")
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    type=click.Choice(PERMISSIONS),
    help="Restrict the key to this permission of USER; may be repeated.",
)
@file_option
def create(user: str, text: str, expires: float | None, permissions: tuple[str, ...], path: str | None) -> None:
    """Make a key for USER, and print it. It can't be shown again.

    USER is a name from the service's setting permissions. A user can have any number of keys, one for each program.
    """
    clock = SystemClock()
    store = _store(path, clock)
    made = store.create(user, note=text, expires_after=expires, permissions=permissions or None)
    click.echo(made)
    valid = f"for {span(expires)}" if expires is not None else "until it is revoked"
    note(f"this key of {user!r} is valid {valid}, and not shown again; send it as 'Authorization: Bearer KEY'")


@key.command("list")
@json_option(
    "{keys: [{id, user, state, permissions, created_at, expires_at, revoked_at, note}]}; times are Unix seconds"
)
@file_option
def list_keys(as_json: bool, path: str | None) -> None:
    """List the keys, including those that are no longer valid.

    The list shows IDs, since the keys themselves are not kept.
    """
    clock = SystemClock()
    store = _store(path, clock)
    now, found = clock.now(), store.list()
    if as_json:
        print_json({"keys": [_document(each, now) for each in found]})
        return
    if not found:
        click.echo(f"There are no keys in {store.path}.", err=True)
        return
    print_table(("ID", "USER", "PERMISSIONS", "MADE", "VALIDITY", "NOTE"), [_row(each, now) for each in found], cut=[5])


@key.command()
@click.argument("name", metavar="ID")
@file_option
def revoke(name: str, path: str | None) -> None:
    """Revoke the key with this ID for good. You may give the key itself in place of its ID."""
    revoked = _store(path, SystemClock()).revoke(name)
    click.echo(f"Revoked key {revoked.id} of {revoked.user!r}.")


def _store(path: str | None, clock: Clock) -> KeyStore:
    given = {} if path is None else {"keys_file": path}
    return KeyStore.of(ServiceSettings.of(current_session().settings, given), clock)


def _document(found: ApiKey, now: float) -> dict[str, Any]:
    return {
        "id": found.id,
        "user": found.user,
        "state": found.state(now),
        "permissions": _sorted(found),
        "created_at": found.created_at,
        "expires_at": found.expires_at,
        "revoked_at": found.revoked_at,
        "note": found.note,
    }


def _row(found: ApiKey, now: float) -> tuple[str, ...]:
    made = datetime.fromtimestamp(found.created_at).astimezone().strftime("%Y-%m-%d %H:%M")
    permissions = _sorted(found)
    return (
        found.id,
        found.user,
        "as the user" if permissions is None else " ".join(permissions),
        made,
        _validity(found, now),
        found.note,
    )


def _sorted(found: ApiKey) -> list[str] | None:
    """The permissions it is restricted to, in the order of the reference."""
    if found.permissions is None:
        return None
    return [name for name in PERMISSIONS if name in found.permissions]


def _validity(found: ApiKey, now: float) -> str:
    if found.revoked_at is not None:
        return f"revoked {span(now - found.revoked_at)} ago"
    return until(found.expires_at, now) if found.expires_at is not None else "never expires"
