"""``rave cache pin``: exempts entries from eviction."""

from __future__ import annotations

from collections.abc import Mapping

import click

from rave_core.backend import SupportsPins
from rave_core.cli.ending import FAILED, Left
from rave_core.cli.output import note, print_json, say
from rave_core.cli.session import current_session
from rave_core.cli.switches import json_option, places_option
from rave_core.errors import OptionError


@click.command()
@click.argument("prefixes", metavar="[PREFIX ...]", nargs=-1)
@click.option("--remove", is_flag=True, help="Remove the pins.")
@places_option
@json_option("{pins: {CACHE: [PREFIX, ...]}}, as they are now")
def pin(prefixes: tuple[str, ...], remove: bool, data: bool, products: bool, as_json: bool) -> None:
    """Exempt entries whose keys start with PREFIX from eviction; without PREFIX, show the pins.

    A key starts with its operation: 'flow/' selects a namespace and 'flow/top/' an operation. Pinned entries still
    count towards the budget, expire, and can be removed. Pins are kept in the cache, so they apply to everybody.
    """
    if not all(prefixes):
        raise click.UsageError("an empty prefix would mean every entry: give the beginning of a key")
    if remove and not prefixes:
        raise click.UsageError("say which pins to take away; 'rave cache pin' shows them")
    found = current_session().caches(data=data, products=products)
    every = {name: place.backend.capability(SupportsPins) for name, place in found}
    stores = {name: store for name, store in every.items() if store is not None}
    if not stores:
        raise OptionError("none of these caches can pin: memory is each process's own; directories and buckets can")
    missing = _change(stores, prefixes, remove=remove)
    pins = {name: backend.pins() for name, backend in stores.items()}
    if as_json:
        print_json({"pins": pins})
    elif any(pins.values()):
        for name, prefixes_there in pins.items():
            for prefix in prefixes_there:
                say(f"{name}  {prefix}")
    else:
        click.echo("Nothing is pinned.", err=True)
    if missing:
        note(f"not pinned before: {', '.join(missing)}")
        raise Left(FAILED)


def _change(stores: Mapping[str, SupportsPins], prefixes: tuple[str, ...], *, remove: bool) -> list[str]:
    """Pins the prefixes, or removes the pins; returns the pins that did not exist."""
    missing = []
    for prefix in prefixes:
        if remove:
            gone = [backend.unpin(prefix) for backend in stores.values()]
            missing += [] if any(gone) else [prefix]
            continue
        for backend in stores.values():
            backend.pin(prefix)
    return missing
