"""``rave explain`` and ``rave plan``: what a call would do, without doing it."""

from __future__ import annotations

from typing import Any

import click

from rave_core.cli.arguments import Asked, NamedValue, OperationName, asked
from rave_core.cli.output import heading, print_facts, print_json, print_table
from rave_core.cli.session import current_session
from rave_core.cli.switches import json_option, user_option
from rave_core.documents import asked_by
from rave_core.introspection.explain import Difference, Explanation, untracked_lines
from rave_core.introspection.plan import Need, Plan, Step
from rave_core.model import Entry
from rave_core.text.humanize import span, until

_MARKS = {Need.CACHED: "cached", Need.RUN: "run", Need.SHARED: "as above"}
_MOST_STEPS = 200


@click.command()
@click.argument("operation", metavar="NS/OP", type=OperationName())
@click.argument("arguments", metavar="[NAME=VALUE ...]", nargs=-1, type=NamedValue())
@click.option("--closure", is_flag=True, help="List all that counts in the version of the operation.")
@user_option
@json_option(
    "{operation, arguments, status, reason, key, entry, nearest, differences, computing, closure, untracked, releases}"
)
def explain(operation: str, arguments: tuple[str, ...], closure: bool, user: str | None, as_json: bool) -> None:
    """Show why a call would hit or miss.

    A miss is explained by the difference to the nearest stored entry: other arguments, another version of the operation
    and what has changed in its code, or its expiry. Nothing is run.
    """
    with asked_by(user):
        wanted = asked(operation, arguments)
    found = wanted.operation.explain(*wanted.args, **wanted.kwargs)
    if as_json:
        print_json(_explanation_document(found))
        return
    heading(_written(found.operation, found.arguments))
    facts: list[tuple[str, object]] = [("answer", f"{found.status}: {found.reason}")]
    facts += [(_label(d.what, d.name), str(d).partition(": ")[2] or str(d)) for d in found.differences]
    facts += [("made with", f"{d.name} {d.kept}, now {d.asked}") for d in found.releases]
    facts += [("now", found.computing)] if found.computing else []
    facts += [("key", found.key.text)] if found.key is not None else []
    facts += [("nearest", found.nearest.key)] if found.nearest is not None else []
    facts += _entry_facts(found.entry)
    facts += [("not tracked", line) for line in untracked_lines(found)]
    print_facts(facts)
    if closure:
        click.echo()
        print_table(("COUNTS", "AS"), sorted(found.closure.items()))


def _label(what: str, name: str) -> str:
    return name if what == "argument" else what


def _entry_facts(entry: Entry | None) -> list[tuple[str, object]]:
    if entry is None:
        return []
    now = current_session().runtime.clock.now()
    return [("computing", f"took {span(entry.seconds)}"), ("validity", until(entry.expires_at, now))]


def _explanation_document(found: Explanation) -> dict[str, Any]:
    from rave_core.cli.cache import entry_document

    return {
        "operation": found.operation,
        "arguments": found.arguments,
        "status": found.status,
        "reason": found.reason,
        "key": found.key.text if found.key is not None else None,
        "entry": entry_document(found.entry) if found.entry is not None else None,
        "nearest": entry_document(found.nearest) if found.nearest is not None else None,
        "differences": [_difference_document(difference) for difference in found.differences],
        "computing": found.computing or None,
        "closure": dict(found.closure),
        "untracked": dict(found.untracked),
        "releases": [_difference_document(difference) for difference in found.releases],
    }


def _difference_document(found: Difference) -> dict[str, str]:
    return {"what": found.what, "name": found.name, "kept": found.kept, "asked": found.asked}


@click.command()
@click.argument("operation", metavar="NS/OP", type=OperationName())
@click.argument("arguments", metavar="[NAME=VALUE ...]", nargs=-1, type=NamedValue())
@user_option
@json_option("{operation, seconds, to_run, steps: [{depth, operation, arguments, key, need, seconds, basis}]}")
def plan(operation: str, arguments: tuple[str, ...], user: str | None, as_json: bool) -> None:
    """Show what a call would have to run, and for how long.

    The steps and their durations are those of the last run. A call that was never made is estimated from other calls
    of its operation. Nothing is run.
    """
    with asked_by(user):
        wanted = asked(operation, arguments)
    found = wanted.operation.plan(*wanted.args, **wanted.kwargs)
    if as_json:
        print_json(_plan_document(wanted, found))
        return
    rows = [_row(step) for step in found.steps[:_MOST_STEPS]]
    print_table(("STEP", "NEEDS", "TIME", "AS"), rows, right=[2], cut=[0])
    if len(found.steps) > _MOST_STEPS:
        click.echo(f"... and {len(found.steps) - _MOST_STEPS} more steps")
    click.echo(f"\n{found.summary}")


def _row(step: Step) -> tuple[str, str, str, str]:
    must_run = step.need is Need.RUN
    time = ("?" if step.seconds is None else span(step.seconds)) if must_run else ""
    return "  " * step.depth + _written(step.operation, step.arguments), _MARKS[step.need], time, step.basis


def _plan_document(wanted: Asked, found: Plan) -> dict[str, Any]:
    return {
        "operation": wanted.name,
        "seconds": found.seconds,
        "to_run": found.to_run,
        "steps": [
            {
                "depth": step.depth,
                "operation": step.operation,
                "arguments": step.arguments,
                "key": step.key or None,
                "need": step.need,
                "seconds": step.seconds,
                "basis": step.basis or None,
            }
            for step in found.steps
        ],
    }


def _written(operation: str, arguments: Any) -> str:
    return f"{operation}({', '.join(f'{name}={value}' for name, value in arguments.items())})"
