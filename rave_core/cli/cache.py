"""``rave cache``: inspects the caches and cleans them up. Values are never decoded here."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from typing import Any

import click

from rave_core.backend import Outline, Purged, SupportsPurge, SupportsStats
from rave_core.cli.ending import FAILED, Left
from rave_core.cli.keep import keep
from rave_core.cli.output import heading, is_terminal, note, print_facts, print_json, print_table, say
from rave_core.cli.pin import pin
from rave_core.cli.session import current_session
from rave_core.cli.switches import json_option, places_option
from rave_core.cli.verify import verify
from rave_core.errors import OptionError, RaveError
from rave_core.introspection.usage import Usage, usage_of
from rave_core.model import Entry, Key
from rave_core.storage.cache import Cache
from rave_core.storage.listing import Kept, entries, find_entry, foremost, is_verified, prefix_of, short_id
from rave_core.text.humanize import printable, size, span, until

_SHOWN = 1000
_SORTS: dict[str, Callable[[Entry | Outline], float]] = {
    "age": lambda entry: -entry.created_at,
    "size": lambda entry: -entry.size,
    "seconds": lambda entry: -entry.seconds,
}


@click.group()
def cache() -> None:
    """Inspect the caches and clean them up.

    There are two caches: one for values (--data) and one for files (--products). Without a switch, commands use both.
    """


def entry_document(entry: Entry) -> dict[str, Any]:
    """An entry as JSON; times are Unix seconds, ``expires_at`` is ``null`` for never."""
    key = Key.parse(entry.key)
    return {
        "key": entry.key,
        "operation": key.operation,
        "version": key.version,
        "version_note": entry.version_note,
        "arguments": entry.arguments,
        "created_at": entry.created_at,
        "expires_at": None if math.isinf(entry.expires_at) else entry.expires_at,
        "seconds": entry.seconds,
        "size": entry.size,
        "codec": entry.codec,
        "mime_type": entry.mime_type,
        "product": entry.product,
        "children": entry.children,
        "tags": entry.tags,
        "python": entry.python,
        "plugin": entry.plugin,
        "packages": entry.packages,
    }


@cache.command("ls")
@click.argument("prefix", default="")
@click.option(
    "--sort", type=click.Choice(list(_SORTS)), default="age", show_default=True, help="Which entries come first."
)
@click.option(
    "--limit", type=click.IntRange(min=1), help=f"Show at most this many; {_SHOWN} by default, all with --json."
)
@places_option
@json_option("{entries: [...], total}, each entry as 'rave cache show --json' prints it")
def list_entries(prefix: str, sort: str, limit: int | None, data: bool, products: bool, as_json: bool) -> None:
    """List the entries whose keys start with PREFIX.

    A key starts with its operation: 'flow/' selects a namespace and 'flow/top/' an operation.
    """
    session = current_session()
    most = limit or (sys.maxsize if as_json else _SHOWN)
    places = [place for _, place in session.caches(data=data, products=products)]
    lists = [foremost(place, prefix, most, _SORTS[sort]) for place in places]
    found = sorted((entry for some, _ in lists for entry in some), key=_SORTS[sort])[:most]
    total = sum(count for _, count in lists)
    if as_json:
        print_json({"entries": [entry_document(entry) for entry in found], "total": total})
        return
    if not found:
        say("Nothing is stored" + (f" under {prefix!r}." if prefix else "."), err=True)
        return
    now = session.runtime.clock.now()
    rows = [_row(entry, now) for entry in found]
    print_table(("ID", "AGE", "SIZE", "TOOK", "EXPIRES", "CALL"), rows, right=[1, 2, 3], cut=[5])
    shown = {entry.key for entry in found}
    kept = ((place, entry.key) for place, (some, _) in zip(places, lists, strict=True) for entry in some)
    if doubtful := sum(key in shown and not is_verified(place, key) for place, key in kept):
        note(f"{_count(doubtful)} of these: no key of ours vouches for what is shown of them")
    if total > most:
        note(f"{total - len(found)} more are not shown; --limit shows more")


def _row(entry: Entry, now: float) -> tuple[str, str, str, str, str, str]:
    key = Key.parse(entry.key)
    expires = until(entry.expires_at, now).removeprefix("expires ").removesuffix(" expires")
    return (
        short_id(entry.key),
        span(now - entry.created_at),
        size(entry.size),
        span(entry.seconds),
        expires,
        f"{key.operation}({', '.join(f'{name}={value}' for name, value in entry.arguments.items())})",
    )


@cache.command()
@click.argument("key")
@json_option(
    "{key, operation, version, version_note, arguments, created_at, expires_at, seconds, size, codec, mime_type, "
    "product, children, tags, python, plugin, packages, cache, path}"
)
def show(key: str, as_json: bool) -> None:
    """Show an entry: its arguments, when it was made, and how long it is valid.

    KEY is a key, the beginning of one, or the beginning of the ID that 'rave cache ls' shows.
    """
    session = current_session()
    kept = find_entry([place for _, place in session.caches(data=True, products=True)], key)
    if as_json:
        print_json(entry_document(kept.entry) | {"cache": kept.cache.url, "path": _path(kept)})
        return
    heading(kept.entry.key)
    print_facts(_facts(kept, session.runtime.clock.now()))


def _path(kept: Kept) -> str | None:
    locate = getattr(kept.cache.backend, "locate", None)
    return str(locate(kept.entry.key, kept.entry.product)) if kept.entry.product and locate is not None else None


def _facts(kept: Kept, now: float) -> list[tuple[str, object]]:
    from datetime import datetime

    entry = kept.entry
    created = datetime.fromtimestamp(entry.created_at).astimezone().isoformat(" ", "seconds")
    facts: list[tuple[str, object]] = [
        ("arguments", "\n".join(f"{name} = {value}" for name, value in entry.arguments.items()) or "-"),
        ("made", f"{created}, {span(now - entry.created_at)} ago"),
        ("validity", until(entry.expires_at, now)),
        ("computing", f"took {span(entry.seconds)}"),
        ("size", f"{size(entry.size)} as {entry.codec}, {entry.mime_type}"),
        ("version", f"{Key.parse(entry.key).version} ({entry.version_note or 'strategy not recorded'})"),
        ("python", entry.python + (f", plugin {entry.plugin}" if entry.plugin else "")),
        ("cache", kept.cache.url),
        ("seal", "verified" if is_verified(kept.cache, entry.key) else "none of ours: nothing of this is verified"),
    ]
    releases = [f"{name} {release}" for name, release in entry.packages.items()]
    facts += [("packages", ", ".join(releases))] if releases else []
    path = _path(kept)
    facts += [("file", path)] if path else []
    facts += [("tags", " ".join(entry.tags))] if entry.tags else []
    facts += [("made from", "\n".join(entry.children))] if entry.children else []
    return facts


@cache.command("rm")
@click.argument("names", metavar="[PREFIX|KEY ...]", nargs=-1)
@click.option("--tag", metavar="T", help="Only entries of operations with this tag.")
@click.option("--expired", is_flag=True, help="Only expired entries.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@places_option
@json_option("{removed, bytes}")
def remove(
    names: tuple[str, ...], tag: str | None, expired: bool, yes: bool, data: bool, products: bool, as_json: bool
) -> None:
    """Remove the entries whose keys start with PREFIX, or the one entry with that KEY or ID.

    On a terminal, the command asks first; elsewhere, it needs --yes. A file stays readable for its grace period.
    """
    if not all(names):
        raise click.UsageError("an empty prefix would mean every entry: give the beginning of a key")
    if not (names or tag or expired):
        raise click.UsageError("say what to remove: a prefix, a key, --tag or --expired")
    session = current_session()
    places = [place for _, place in session.caches(data=data, products=products)]
    chosen = {kept.entry.key: kept for kept in _chosen(places, names)}
    now = session.runtime.clock.now()
    doomed = [kept for kept in chosen.values() if _is_doomed(kept.entry, tag, expired, now)]
    total = sum(kept.entry.size for kept in doomed)
    if doomed and not yes:
        _ask(f"Remove {_count(len(doomed))}, {size(total)}?")
    removed = sum(kept.cache.forget(Key.parse(kept.entry.key)) for kept in doomed)
    if as_json:
        print_json({"removed": removed, "bytes": total})
    else:
        click.echo(f"Removed {_count(removed)}, {size(total)}.")


def _chosen(places: list[Cache], names: Iterable[str]) -> Iterable[Kept]:
    for name in names or ("",):
        found = _under(places, name) or (_under(places, _as_in_keys(name)) if name else [])
        yield from found or [find_entry(places, name)] if name else found


def _under(places: list[Cache], prefix: str) -> list[Kept]:
    return [Kept(place, entry) for place in places for entry in entries(place, prefix)]


def _as_in_keys(name: str) -> str:
    """``name`` as keys begin, if the catalog calls an operation so that a module outside of its namespace defines."""
    session = current_session()
    try:
        operation = session.catalog.find(name.removesuffix("/"))
        return prefix_of(session.runtime.container.check(operation.spec))
    except RaveError:
        return name


def _is_doomed(entry: Entry, tag: str | None, expired: bool, now: float) -> bool:
    return (tag is None or tag in entry.tags) and not (expired and entry.is_fresh(now))


def _ask(question: str) -> None:
    if not is_terminal(sys.stdin):
        raise OptionError(f"{question.rstrip('?')}: this is not a terminal, so nobody can confirm; add --yes")
    if not click.confirm(question, err=True):
        note("nothing was removed")
        raise Left(FAILED)


def _count(number: int) -> str:
    return f"{number} {'entry' if number == 1 else 'entries'}"


@cache.command()
@click.option(
    "--seconds", type=click.FloatRange(min=0), help="Stop after about this time; the next such call continues."
)
@places_option
@json_option("{entries, bytes, leftovers, complete}")
def purge(seconds: float | None, data: bool, products: bool, as_json: bool) -> None:
    """Remove expired entries, leftovers of crashes, and what exceeds the budget.

    This also happens automatically from time to time; see the settings data_purge_every and products_purge_every.
    """
    session = current_session()
    maintenance = session.runtime.container.maintenance
    purged = Purged()
    for _, place in session.caches(data=data, products=products):
        purged += maintenance.purge(place, seconds=seconds)
    if as_json:
        facts = {"entries": purged.entries, "bytes": purged.bytes, "leftovers": purged.leftovers}
        print_json(facts | {"complete": purged.is_complete})
    else:
        left = purged.leftovers
        leftovers = f" and {left} {'leftover' if left == 1 else 'leftovers'} of crashes" if left else ""
        more = "" if purged.is_complete else " Not everything was looked at yet; the same command goes on."
        click.echo(f"Removed {_count(purged.entries)}{leftovers}, {size(purged.bytes)}.{more}")


@cache.command()
@places_option
@json_option(
    "{caches: [{name, url, entries, bytes, used_bytes, max_bytes, purged_at, "
    "operations: [{operation, entries, bytes, oldest, newest, seconds}]}]}"
)
def stats(data: bool, products: bool, as_json: bool) -> None:
    """Show how much each operation keeps, and how long it took to compute."""
    session = current_session()
    found = [(name, place, usage_of(place)) for name, place in session.caches(data=data, products=products)]
    if as_json:
        print_json({"caches": [_usage_document(name, place, usage) for name, place, usage in found]})
        return
    now = session.runtime.clock.now()
    for number, (name, place, usage) in enumerate(found):
        if number:
            click.echo()
        click.echo(f"{click.style(name, bold=True)}  {printable(place.url)}")
        _print_usage(usage, place, now)


def _print_usage(usage: Usage, place: Cache, now: float) -> None:
    if usage.operations:
        rows = [
            (op.operation, op.entries, size(op.bytes), span(now - op.oldest), span(now - op.newest), span(op.seconds))
            for op in usage.operations
        ]
        print_table(("OPERATION", "ENTRIES", "SIZE", "OLDEST", "NEWEST", "COMPUTING"), rows, right=[1, 2, 3, 4, 5])
    used, budget = _room(place)
    taken = f"{size(usage.bytes)}" if used is None else f"with their headers {size(used)}"
    limit = "" if used is None else f" of {size(budget)}" if budget is not None else ", without a limit"
    click.echo(f"{_count(usage.entries)}, {taken}{limit}; computing them took {span(usage.seconds)}.")


def _room(place: Cache) -> tuple[int | None, int | None]:
    """Bytes used in the store, and its budget; ``None`` if the store does not know its size or has no budget."""
    backend = place.backend
    stats = backend.capability(SupportsStats)
    return (stats.usage()[1], stats.max_bytes) if stats is not None else (None, None)


def _usage_document(name: str, place: Cache, usage: Usage) -> dict[str, Any]:
    used, budget = _room(place)
    return {
        "name": name,
        "url": place.url,
        "entries": usage.entries,
        "bytes": usage.bytes,
        "used_bytes": used,
        "max_bytes": budget,
        "purged_at": store.last_purge() if (store := place.backend.capability(SupportsPurge)) is not None else None,
        "operations": usage.operations,
    }


cache.add_command(keep)
cache.add_command(pin)
cache.add_command(verify)
