"""``rave journal import`` and ``export``: between journals and files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from rave_core.errors import RaveError
from rave_journal.commands.group import journal, pass_side
from rave_journal.commands.side import Side
from rave_journal.git_history import git_drafts
from rave_journal.journal import Draft


class ImportClashError(RaveError):
    """What is to be imported contradicts what is there."""


@journal.group("import")
def import_files() -> None:
    """Commit files, or the history of a git repository."""


@import_files.command("dir")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-m", "--message", default="", help="Why: the comment of the commits.")
@pass_side
def import_directory(side: Side, directory: Path, message: str) -> None:
    """Commit each file of DIRECTORY that differs from its document; keys are names of files."""
    count = 0
    for path in sorted(each for each in directory.iterdir() if each.is_file()):
        payload, head = path.read_bytes(), side.commits.get(path.name)
        if head is None or head.payload != payload:
            version = 1 if head is None else head.version + 1
            side.commits.commit(Draft(path.name, version, payload, side.author, comment=message))
            count += 1
    click.echo(f"{count} documents are new or changed.")


@import_files.command("git")
@click.argument("repository", type=click.Path(exists=True, file_okay=False, path_type=Path))
@pass_side
def import_git(side: Side, repository: Path) -> None:
    """Commit the history of a git REPOSITORY: each commit of a file is a version, with its author, comment and time.

    Keys are paths, with '.' in place of '/'. What is there already, and equal, is left alone.
    """
    count = sum(1 for _ in _committed(side, git_drafts(repository)))
    click.echo(f"{count} versions are new.")


@journal.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@pass_side
def export(side: Side, directory: Path) -> None:
    """Write the newest version of each document to a file of its name in DIRECTORY.

    'rave documents export' writes all versions.
    """
    directory.mkdir(parents=True, exist_ok=True)
    count = 0
    for head in side.commits.heads():
        (directory / head.key).write_bytes(head.payload or b"")
        count += 1
    click.echo(f"{count} documents are in {directory}.")


def _committed(side: Side, drafts: Iterable[Draft]) -> Iterator[Draft]:
    """Commits drafts; gives those that were not there.

    Raises:
        ImportClashError: a version is there with another payload.
    """
    for draft in drafts:
        there = side.commits.get(draft.key, draft.version)
        if there is None:
            side.commits.commit(draft)
            yield draft
        elif there.payload != draft.payload:
            raise ImportClashError(f"version {draft.version} of {draft.key!r} is there with another payload")
