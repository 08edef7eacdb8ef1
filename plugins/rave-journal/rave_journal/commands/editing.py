"""The commands of ``rave journal`` that commit."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

import click

from rave_core.errors import RaveError
from rave_journal.commands.group import journal, pass_side
from rave_journal.commands.side import Side, piped, show_difference, write_bytes
from rave_journal.commits import Commit, encoded
from rave_journal.journal import Draft
from rave_journal.prepared import prepared, read_prepared

message_option = click.option("-m", "--message", default="", help="Why: the comment of the commit.")


class EditorError(RaveError):
    """The editor failed, or can't be started."""


@journal.command()
@click.argument("key")
@click.argument("version", type=int, required=False)
@pass_side
def prepare(side: Side, key: str, version: int | None) -> None:
    """Write the next commit of a document as a text that 'commit' reads."""
    write_bytes(prepared(_next(side, key, side.found(key, version))))


@journal.command()
@click.argument("key")
@pass_side
def commit(side: Side, key: str) -> None:
    """Commit a prepared text from standard input."""
    _tell(side.commits.commit(read_prepared(piped(), key=key)))


@journal.command("commit-value")
@click.argument("key")
@click.argument("version", type=int, default=1)
@click.option("-m", "--message", required=True, help="Why: the comment of the commit.")
@pass_side
def commit_value(side: Side, key: str, version: int, message: str) -> None:
    """Commit standard input as VERSION of a document, 1 by default."""
    _tell(side.commits.commit(Draft(key, version, piped(), side.author, comment=message)))


@journal.command()
@click.argument("key")
@click.argument("version", type=int, required=False)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@message_option
@pass_side
def uncommit(side: Side, key: str, version: int | None, yes: bool, message: str) -> None:
    """Delete a document: commit a tombstone after VERSION, the newest one by default."""
    old = side.found(key, version)
    draft = Draft(key, old.version + 1, None, side.author, comment=message)
    _ask_and_commit(side, old, draft, yes=yes)


@journal.command()
@click.argument("key")
@click.argument("version", type=int)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@message_option
@pass_side
def revert(side: Side, key: str, version: int, yes: bool, message: str) -> None:
    """Commit an earlier version of a document again."""
    old, newest = side.found(key, version), side.found(key)
    comment = message or f"Revert to version {version}"
    draft = Draft(key, newest.version + 1, old.payload, side.author, comment=comment)
    _ask_and_commit(side, newest, draft, yes=yes)


@journal.command()
@click.argument("key")
@click.argument("version", type=int, required=False)
@pass_side
def edit(side: Side, key: str, version: int | None) -> None:
    """Edit a document in $EDITOR, show what changed, and commit it. A new key begins empty."""
    old = side.commits.get(key, version) if version is None else side.found(key, version)
    with tempfile.NamedTemporaryFile(prefix="rave-journal-", suffix=".yaml", delete=False) as work:
        work.write(prepared(_next(side, key, old)))
    path = Path(work.name)
    is_done = False
    try:
        _open_editor(path)
        is_done = _ask_and_commit(side, old, read_prepared(path.read_bytes(), key=key), yes=False)
    finally:
        if is_done:
            path.unlink()
        else:
            click.echo(f"Your work is saved in: {path}", err=True)


def _next(side: Side, key: str, old: Commit | None) -> Draft:
    version, payload = (1, b"") if old is None else (old.version + 1, old.payload or b"")
    return Draft(key, version, payload, side.author)


def _open_editor(path: Path) -> None:
    editor = os.environ.get("EDITOR", "vi")
    try:
        ended = subprocess.run([*shlex.split(editor), str(path)], check=False)  # noqa: S603  # the user's own editor
    except (OSError, ValueError) as error:
        raise EditorError(f"the editor {editor!r} can't be started: {error}; set EDITOR") from None
    if ended.returncode:
        raise EditorError(f"the editor {editor!r} exited with code {ended.returncode}")


def _ask_and_commit(side: Side, old: Commit | None, draft: Draft, *, yes: bool) -> bool:
    """Shows what changed, asks, and commits; returns whether the work is done: nothing changed, or it is committed."""
    before = None if old is None else old.payload
    if old is not None and before == draft.payload:
        click.echo("No change, not committing.")
        return True
    show_difference(old, draft.payload, draft.key, str(draft.version))
    if not yes and not click.confirm(f"Commit version {draft.version} of {draft.key}?"):
        click.echo("OK, not committing.")
        return False
    _tell(side.commits.commit(draft))
    return True


def _tell(saved: Commit) -> None:
    click.echo(encoded(saved.document()).decode().rstrip())
