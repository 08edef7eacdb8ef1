"""``rave cache keep``: copies results so that they stay as they are."""

from __future__ import annotations

import getpass
from typing import Any

import click

from rave_core.cli.ending import FAILED, Left
from rave_core.cli.output import note, print_json, say
from rave_core.cli.session import current_session
from rave_core.cli.switches import json_option
from rave_core.errors import UnknownNameError
from rave_core.model import Key
from rave_core.storage.kept_copies import KeptCopies, KeptCopy
from rave_core.storage.listing import find_entry
from rave_core.text.durations import parse_duration
from rave_core.text.humanize import size, span


@click.command()
@click.argument("names", metavar="[KEY ...]", nargs=-1)
@click.option("--for", "duration", metavar="TIME", default="90d", show_default=True, help="How long, or 'ever'.")
@click.option("--comment", metavar="TEXT", default="", help="Why, for those who list the copies.")
@click.option("--remove", is_flag=True, help="Remove copies; KEY is the ID of a copy.")
@json_option(
    "{kept: [{id, key, source, digest, size, created_at, kept_at, until, by, comment, question, arguments, gone}]}"
)
def keep(names: tuple[str, ...], duration: str, comment: str, remove: bool, as_json: bool) -> None:
    """Copy results, so that they stay as they are; without KEY, list the copies.

    An entry expires, is evicted, or is made anew under its key. A copy is none of that until its time is over: a
    service shows it at /-/kept/ID. KEY is a key, the beginning of one, or the beginning of the ID that 'rave cache ls'
    shows.
    """
    if remove and not names:
        raise click.UsageError("say which copies to remove; 'rave cache keep' lists them")
    seconds = _seconds(duration)
    runtime = current_session().runtime
    copies, now = KeptCopies(runtime.cache, runtime.products, runtime.clock), runtime.clock.now()
    if remove:
        _remove(copies, names)
    else:
        until = None if seconds is None else now + seconds
        for name in names:
            _keep(copies, name, until=until, comment=comment)
    _show(copies, now, as_json=as_json)


def _seconds(text: str) -> float | None:
    try:
        return None if text == "ever" else parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}, or 'ever'", param_hint="--for") from None


def _keep(copies: KeptCopies, name: str, *, until: float | None, comment: str) -> None:
    runtime = current_session().runtime
    found = find_entry((runtime.cache, runtime.products), name)
    key = Key.parse(found.entry.key)
    kept = copies.keep(found.cache, key, until=until, digest=found.entry.digest, by=getpass.getuser(), comment=comment)
    if kept is None:
        raise UnknownNameError(f"{key} was made anew meanwhile; the same command again keeps the new result")


def _remove(copies: KeptCopies, names: tuple[str, ...]) -> None:
    missing = []
    for name in names:
        kept = copies.find(name)
        if kept is None:
            missing.append(name)
        else:
            copies.remove(kept)
    if missing:
        note(f"no such copies: {', '.join(missing)}; 'rave cache keep' lists them")
        raise Left(FAILED)


def _show(copies: KeptCopies, now: float, *, as_json: bool) -> None:
    found = sorted(copies.all(), key=lambda kept: (kept.kept_at, kept.id))
    gone = {kept.id for kept in found if not copies.is_there(kept)}
    if as_json:
        print_json({"kept": [_document(kept, is_gone=kept.id in gone) for kept in found]})
    elif not found:
        click.echo("No copies are kept.", err=True)
    for kept in () if as_json else found:
        left = "for ever" if kept.until is None else f"for {span(kept.until - now)}"
        left = "gone" if kept.id in gone else left
        arguments = ", ".join(f"{name}={text}" for name, text in kept.arguments.items())
        say(f"{kept.id}  {size(kept.size)}  {left}  {kept.operation}({arguments})  {kept.comment}".rstrip())


def _document(kept: KeptCopy, *, is_gone: bool) -> dict[str, Any]:
    return {**{name: getattr(kept, name) for name in kept.__struct_fields__}, "gone": is_gone}
