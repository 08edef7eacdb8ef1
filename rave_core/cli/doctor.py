"""``rave doctor``: prints the findings of `rave_core.cli.checkup`."""

from __future__ import annotations

from collections import Counter

import click

from rave_core.cli.checkup import Finding, Level, examine
from rave_core.cli.ending import FAILED, Left
from rave_core.cli.output import print_json, say
from rave_core.cli.session import current_session
from rave_core.cli.switches import json_option
from rave_core.text.humanize import printable

_MARKS = {Level.FINE: ("✓", "green"), Level.WARNING: ("!", "yellow"), Level.ERROR: ("✗", "red")}


@click.command()
@json_option("{healthy, findings: [{level, subject, text, advice}]}")
def doctor(as_json: bool) -> None:
    """Check that everything is in order, and say what to do if not.

    Exits with 1 if something is broken. Warnings don't change the exit code.
    """
    session = current_session()
    session.hush()
    findings = list(examine(session))
    counts = Counter(finding.level for finding in findings)
    if as_json:
        print_json({"healthy": not counts[Level.ERROR], "findings": findings})
    else:
        for finding in findings:
            _print(finding)
        click.echo(f"\n{_summary(counts)}")
    if counts[Level.ERROR]:
        raise Left(FAILED)


def _print(finding: Finding) -> None:
    mark, colour = _MARKS[finding.level]
    click.echo(f"{click.style(mark, fg=colour, bold=True)} {printable(f'{finding.subject}: {finding.text}')}")
    if finding.advice:
        say(f"  {finding.advice}", dim=True)


def _summary(counts: Counter[Level]) -> str:
    if not counts[Level.WARNING] and not counts[Level.ERROR]:
        return "Everything is as it should be."
    parts = [(counts[Level.ERROR], "problem"), (counts[Level.WARNING], "warning")]
    return ", ".join(f"{number} {word}{'s' if number != 1 else ''}" for number, word in parts if number) + "."
