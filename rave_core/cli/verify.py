"""``rave cache verify``: reads every entry and checks its seal and digests."""

from __future__ import annotations

from collections import Counter

import click

from rave_core.cli.ending import FAILED, Left
from rave_core.cli.output import print_json, print_table, say
from rave_core.cli.session import current_session
from rave_core.cli.switches import json_option, places_option
from rave_core.storage.listing import Health, Verdict
from rave_core.storage.listing import verify as verified

_ADVICE = {
    Health.DAMAGED: "damaged ones are made anew when they are asked for; --repair sets them aside now",
    Health.FOREIGN: "foreign ones were changed, or sealed with a key that is not ours; see old_signing_key_files",
    Health.LATER: "later ones were written by a later version of RAVE",
}


@click.command()
@click.argument("prefix", default="")
@click.option("--repair", is_flag=True, help="Set damaged entries aside.")
@places_option
@json_option("{checked, sound, damaged, foreign, later, problems: [{key, health, problem}]}")
def verify(prefix: str, repair: bool, data: bool, products: bool, as_json: bool) -> None:
    """Read every entry whose key starts with PREFIX, and check its seal and digests.

    Nothing is decoded, so no code in an entry is run. Exits with 1 if an entry can't be used.
    """
    verdicts: list[Verdict] = []
    for _, place in current_session().caches(data=data, products=products):
        verdicts += verified(place, prefix, repair=repair)
    counts = Counter(verdict.health for verdict in verdicts)
    bad = [verdict for verdict in verdicts if verdict.health is not Health.SOUND]
    if as_json:
        problems = [{"key": verdict.key, "health": verdict.health, "problem": verdict.problem} for verdict in bad]
        print_json({"checked": len(verdicts), **{health: counts[health] for health in Health}, "problems": problems})
    elif not verdicts:
        say("Nothing is stored" + (f" under {prefix!r}." if prefix else "."), err=True)
    else:
        _print(bad, counts, repair=repair)
    if bad:
        raise Left(FAILED)


def _print(bad: list[Verdict], counts: Counter[Health], *, repair: bool) -> None:
    if bad:
        print_table(("HEALTH", "KEY", "PROBLEM"), [(v.health, v.key, _without_key(v)) for v in bad])
        click.echo()
    click.echo(
        f"Checked {counts.total()}: " + ", ".join(f"{counts[h]} {h}" for h in Health if counts[h] or h is Health.SOUND)
    )
    if repair and counts[Health.DAMAGED]:
        click.echo(f"Set {counts[Health.DAMAGED]} aside.")
    for health, advice in _ADVICE.items():
        if counts[health] and not (repair and health is Health.DAMAGED):
            click.echo(f"{advice[0].upper()}{advice[1:]}.")


def _without_key(verdict: Verdict) -> str:
    return verdict.problem.removeprefix(f"{verdict.key}: ")
