"""``rave journal import`` and ``export``: between journals and files."""

from __future__ import annotations

import os
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


class ExportError(RaveError):
    """Documents were not written to their files."""


@journal.group("import")
def import_files() -> None:
    """Commit files, or the history of a git repository."""


@import_files.command("dir")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-m", "--message", default="", help="Why: the comment of the commits.")
@pass_side
def import_directory(side: Side, directory: Path, message: str) -> None:
    """Commit each file of DIRECTORY that differs from its document; keys are names of files. Links are left out."""
    count = 0
    for path in sorted(each for each in directory.iterdir() if each.is_file() and not each.is_symlink()):
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

    'rave documents export' writes all versions. What has such a name in DIRECTORY and is no file, such as a link, stays
    as it is, and the command fails once it has written the others.
    """
    directory.mkdir(parents=True, exist_ok=True)
    count, left = 0, []
    for head in side.commits.heads():
        try:
            _write(directory / head.key, head.payload or b"")
            count += 1
        except OSError as error:
            left.append(f"{head.key!r} ({error.strerror})")
    click.echo(f"{count} documents are in {directory}.")
    if left:
        raise ExportError(f"not written: {', '.join(left)}")


def _write(path: Path, payload: bytes) -> None:
    """Writes a file, through no link, and into nothing else, such as a pipe.

    Raises:
        OSError: it can't be written.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(os.open(path, flags, 0o666), "wb") as file:
        file.write(payload)


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
