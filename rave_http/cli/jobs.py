"""``rave jobs``: lists the jobs of a service, and stops one."""

from __future__ import annotations

from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Any, Final

import click

from rave_core.cli.output import note, print_json, print_table
from rave_core.cli.switches import json_option
from rave_http.cli.service_choice import chosen_client, service_options

if TYPE_CHECKING:
    from rave_http.client import RunningJob

_SAID: Final = {
    "ended": "nothing makes the product any more",
    "asked": "the job is cancelled, but its body runs until it next reports progress, or to its end",
    "left": "others wait for the product, so the job goes on",
}


@click.group()
def jobs() -> None:
    """List the jobs of a service, and stop them.

    The API key comes from --key-file or the variable RAVE_KEY. Without --url, the service is the one that the settings
    describe.
    """


@jobs.command("list")
@service_options
@json_option("{jobs: [{key, operation, status, progress, user, is_yours, created, worker, began, arguments, href}]}")
def list_jobs(url: str | None, key_file: IO[str] | None, as_json: bool) -> None:
    """List the jobs under way, the oldest first.

    These are the jobs that you wait for; with the permission metrics, those of all users.
    """
    with chosen_client(url, key_file) as client:
        found = client.jobs()
    if as_json:
        print_json({"jobs": [_document(each) for each in found]})
    elif not found:
        click.echo("There are no jobs.", err=True)
    else:
        columns = ("STATUS", "OPERATION", "ARGUMENTS", "PROGRESS", "USER", "SINCE", "KEY")
        print_table(columns, [_row(each) for each in found], cut=[2])


@jobs.command()
@click.argument("ticket")
@service_options
@json_option("{key, done}; done is ended, asked or left")
def cancel(ticket: str, url: str | None, key_file: IO[str] | None, as_json: bool) -> None:
    """Stop the job of TICKET: the URL of a product that is being made, or its key.

    The output says what was done. ended: nothing makes the product any more. asked: the job is cancelled, but its body
    can't be ended from outside, and runs until it next reports progress. left: others wait for the product.
    """
    with chosen_client(url or _origin(ticket), key_file) as client:
        found = client.ticket(_target(client.url, ticket))
        done = found.cancel()
    if as_json:
        print_json({"key": found.key, "done": done})
    else:
        click.echo(done)
        note(f"{found.key}: {_SAID[done]}")


def _origin(ticket: str) -> str | None:
    """The service of a whole URL; ``None`` for a key or a path."""
    if not ticket.startswith(("http://", "https://")):
        return None
    from rave_http.client.credentials import origin_of

    return origin_of(ticket)


def _target(base: str, ticket: str) -> str:
    """The URL of a product, from that URL, its path, or its key."""
    if ticket.startswith(("http://", "https://", "/")):
        return ticket
    return f"{base}/-/products/{ticket}"


def _document(job: RunningJob) -> dict[str, Any]:
    progress = {name: asdict(job.progress)[name] for name in ("done", "total", "text")}
    return {
        "key": job.key or None,
        "operation": job.operation,
        "status": job.status,
        "progress": None if progress["done"] is None else progress,
        "user": job.user or None,
        "is_yours": job.is_yours,
        "created": job.created,
        "worker": job.worker or None,
        "began": job.began or None,
        "arguments": job.arguments,
        "href": job.href or None,
    }


def _row(job: RunningJob) -> tuple[str, ...]:
    done, total = job.progress.done, job.progress.total
    progress = "" if done is None else f"{done:g}" if total is None else f"{done:g} of {total:g}"
    return (job.status, job.operation, job.arguments, progress, job.user, job.created[:19], job.key)
