"""The group ``rave journal``, with the commands that read."""

from __future__ import annotations

import threading

import click

from rave_core import current_runtime
from rave_core.documents import Change
from rave_journal.commands.side import Side, show_difference, visible, write_bytes
from rave_journal.commits import Commit
from rave_journal.journal import collection_of
from rave_journal.settings import JournalSettings

pass_side = click.make_pass_decorator(Side)


@click.group()
@click.option("--journal", "name", metavar="NAME", help="The journal; by default the first one of the settings.")
@click.option("--url", metavar="URL", help="Of a service's journal, in place of the store: http://host:8888/-/journal")
@click.option("--author", metavar="NAME", help="Who commits; by default the user of this process.")
@click.pass_context
def journal(context: click.Context, name: str | None, url: str | None, author: str | None) -> None:
    """Read and write journals: versioned documents with a history.

    Works on the document store of the settings, or with --url on a service, with the API key in RAVE_KEY.
    """
    if name is not None and url is not None:
        raise click.UsageError("--journal and --url exclude each other: the URL names the journal")
    context.obj = Side(name, url, author)


@journal.command("list")
@click.option("-A", "--all", "deleted", is_flag=True, help="Deleted documents too.")
@pass_side
def list_commits(side: Side, deleted: bool) -> None:
    """List the newest version of each document."""
    for commit in side.commits.heads(deleted=deleted):
        click.echo(f"{commit.version:<3}{visible(commit.key):35}\t{visible(side.place(commit))}")


@journal.command()
@click.argument("key")
@click.argument("version", type=int, required=False)
@pass_side
def show(side: Side, key: str, version: int | None) -> None:
    """Write the payload of a document to standard output, byte for byte."""
    payload = side.found(key, version).payload
    if payload is not None:
        write_bytes(payload)


@journal.command()
@click.argument("key")
@pass_side
def log(side: Side, key: str) -> None:
    """Show the history of a document, newest first, with what each version changed."""
    newest = side.found(key)
    history = side.commits.history(key)
    later: Commit | None = newest
    for known in history:
        assert later is not None
        _head(known)
        earlier = side.commits.get(key, known.version - 1) if known.version > 1 else None
        show_difference(earlier, later.payload, key, str(known.version))
        click.echo("\n")
        later = earlier
        if later is None:
            break


@journal.command()
@click.argument("key")
@click.argument("old", type=int)
@click.argument("new", type=int)
@pass_side
def diff(side: Side, key: str, old: int, new: int) -> None:
    """Show what changed between two versions of a document."""
    show_difference(side.found(key, old), side.found(key, new).payload, key, str(new))


@journal.command()
@pass_side
def watch(side: Side) -> None:
    """Write a line for each commit from now on, until interrupted. Works on the store only."""
    if side.is_remote:
        raise click.UsageError("watch follows the store: leave out --url")
    runtime = current_runtime()
    watched = {collection_of(name) for name in JournalSettings.of(runtime.settings).journals}

    def tell(change: Change) -> None:
        known = change.metadata
        if known.collection in watched:
            commit = Commit.of(known)
            state = " (deleted)" if commit.empty else ""
            line = f"{commit.mtime} {known.collection} {commit.key} {commit.version} {commit.author}{state}"
            click.echo(visible(f"{line} {commit.comment}".rstrip()))

    store = runtime.documents
    with store.watch(store.sequence(), tell):
        click.echo("watching; Ctrl-C ends it", err=True)
        threading.Event().wait()


def _head(commit: Commit) -> None:
    click.secho(f"Commit {commit.version}" + (" (deleted)" if commit.empty else ""), fg="yellow")
    claimed = f" (as {commit.claimed_author})" if commit.claimed_author is not None else ""
    click.echo(visible(f"Author: {commit.author}{claimed}"))
    click.echo(f"Date:   {commit.mtime}\n")
    if commit.comment:
        for line in commit.comment.split("\n"):
            click.echo(visible(f"  {line}"))
        click.echo()
