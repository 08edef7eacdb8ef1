"""``rave run``: runs an operation and writes its result."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

import click

from rave_core.cli import rendering
from rave_core.cli.arguments import Asked, NamedValue, OperationName, asked
from rave_core.cli.directories import check_copy, copy_directory, is_archive
from rave_core.cli.ending import NOTHING, Left, OperationFailed
from rave_core.cli.output import binary_output, is_terminal, note
from rave_core.cli.progress import ProgressBar
from rave_core.cli.session import Session, current_session
from rave_core.cli.switches import user_option
from rave_core.documents import asked_by
from rave_core.engine.context import ExecutionContext, entered
from rave_core.errors import OptionError, RaveError
from rave_core.model import Kind, Options, Outcome, Status
from rave_core.rendering import notes_of
from rave_core.storage.directory_archive import write_archive
from rave_core.storage.directory_tree import members
from rave_core.text.humanize import size, span


@click.command()
@click.argument("operation", metavar="NS/OP", type=OperationName())
@click.argument("arguments", metavar="[NAME=VALUE ...]", nargs=-1, type=NamedValue())
@click.option("--refresh", is_flag=True, help="Compute it even if a result is kept.")
@click.option("--deep-refresh", is_flag=True, help="Compute it and every operation that it calls.")
@click.option("--dry-run", "--only-cached", is_flag=True, help="Print the stored result, or exit with 3; run nothing.")
@click.option("-o", "--output", metavar="FILE", help="Write the result to FILE; it is stored as usual. '-' is stdout.")
@click.option(
    "--format",
    "form",
    type=click.Choice(rendering.FORMATS),
    help="How to write a value. Without it: by the suffix of FILE; else tables as a table on a terminal and as CSV "
    "elsewhere, other values as text.",
)
@user_option
def run(
    operation: str,
    arguments: tuple[str, ...],
    refresh: bool,
    deep_refresh: bool,
    dry_run: bool,
    output: str | None,
    form: str | None,
    user: str | None,
) -> None:
    """Run an operation, or print its kept result.

    Give arguments as NAME=VALUE, or as VALUE alone in the order of the operation's parameters. Its typemap reads them;
    without one they are JSON, or else text. Repeat a NAME to make a list. Write -- before values that start with a
    dash.

    A value goes to standard output; for a file or directory, its path does. With -o, the value or the file itself goes
    to FILE, which is replaced atomically. A directory is copied to FILE, which must be new or empty; it becomes a tar
    archive if FILE ends in .tar or is '-'.
    """
    if dry_run and (refresh or deep_refresh):
        raise click.UsageError("--dry-run runs nothing, so it can't refresh; leave one out")
    session = current_session()
    with asked_by(user):
        wanted = asked(operation, arguments)
    target = _Target.checked(wanted, output, form)
    outcome = _answer(session, wanted, Options(refresh=refresh, deep_refresh=deep_refresh, dry_run=dry_run))
    if dry_run and outcome.entry is None:
        note(f"no result is stored for this call of {operation}; 'rave explain' tells why")
        raise Left(NOTHING)
    written = target.write(outcome.value)
    for each in notes_of(outcome.value):
        note(f"{operation}: {each}")
    if session.verbose or is_terminal(sys.stderr):
        note(f"{operation}: {_told(outcome)}{written}")


def _answer(session: Session, wanted: Asked, options: Options) -> Outcome[Any]:
    """Answers the call and shows its progress; separates an exception of the operation from RAVE's own."""
    runtime, resolved = session.runtime, wanted.operation.resolved()
    bar = ProgressBar(resolved, wanted.call, verbose=bool(session.verbose))
    context = ExecutionContext(runtime, listener=bar.listen)
    with entered(context), bar:
        try:
            return _resolved(wanted, options)
        except RaveError:
            raise
        except Exception as error:
            raise OperationFailed(wanted.name, error) from error


def _resolved(wanted: Asked, options: Options) -> Outcome[Any]:
    keywords: dict[str, Any] = {
        f"rave_{name}": True for name in ("refresh", "deep_refresh", "dry_run") if getattr(options, name)
    }
    outcome: Any = wanted.operation.resolve(*wanted.args, **wanted.kwargs, **keywords)
    if wanted.operation.spec.is_async:
        import asyncio

        outcome = asyncio.run(outcome)
    return outcome  # type: ignore[no-any-return]  # an operation found by name does not know its type


def _told(outcome: Outcome[Any]) -> str:
    """How an answer came about, in words."""
    entry = outcome.entry
    if entry is None:
        return "computed, not stored" if outcome.status is Status.UNCACHED else outcome.status.value
    if outcome.status in (Status.HIT, Status.STALE):
        return f"{outcome.status}, saved {span(entry.seconds)}"
    return f"{outcome.status}, {span(entry.seconds)}"


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a result goes, and in what form."""

    name: str
    kind: Kind
    path: str | None
    form: str | None

    @classmethod
    def checked(cls, wanted: Asked, path: str | None, form: str | None) -> _Target:
        """The target; refuses one that can't be written before anything is run.

        Raises:
            OptionError: it can't be written, or a format is requested for a file.
        """
        kind = wanted.operation.spec.kind
        if kind.is_written and form is not None and form not in ("text", "json"):
            raise OptionError(f"{wanted.name} makes a {kind} of its own form, so --format {form} does not apply")
        if kind is Kind.DIRECTORY and path is not None and not is_archive(path):
            check_copy(path)
        elif path not in (None, "-"):
            _check_writable(str(path))
        return cls(wanted.name, kind, path, form)

    def write(self, value: Any) -> str:
        """Writes the result; returns a phrase that says where it went, empty for standard output."""
        if self.path is None or (self.path == "-" and not self.kind.is_written):
            terminal = self.path is None and is_terminal(sys.stdout)
            form = rendering.format_for(value, self.form, is_terminal=terminal)
            rendering.show(value, form, self.name, is_terminal=is_terminal(sys.stdout))
            return ""
        if self.path == "-":
            self._send(value)
            return ""
        return f"; wrote {self.path}, {size(self._write_file(self.path, value))}"

    def _send(self, value: Any) -> None:
        if self.kind is Kind.DIRECTORY:
            write_archive(value, members(value), binary_output())
            return
        with open(value, "rb") as file:
            shutil.copyfileobj(file, binary_output())

    def _write_file(self, path: str, value: Any) -> int:
        if self.kind is Kind.DIRECTORY:
            return _replace(path, fill=partial(_archived, value)) if is_archive(path) else copy_directory(value, path)
        if self.kind is Kind.FILE:
            return _replace(path, fill=partial(_copied, value))
        form = rendering.format_for(value, self.form, path=path)
        # A table in a file is what a pipe would get.
        content = rendering.rendered(value, "csv" if form == "table" else form, self.name)
        return _replace(path, fill=lambda sink: sink.write(content))


def _replace(path: str, *, fill: Callable[[BinaryIO], int]) -> int:
    """Writes a file atomically, a device or pipe directly; returns the number of bytes written."""
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as sink:
            return fill(sink)
    final = os.path.realpath(path)
    descriptor, draft = tempfile.mkstemp(prefix=".rave-", dir=os.path.dirname(final))
    try:
        with open(descriptor, "wb") as sink:
            written = fill(sink)
        os.chmod(draft, _mode_of(final))
        os.replace(draft, final)
    except BaseException:
        os.unlink(draft)
        raise
    return written


def _copied(source: str, sink: BinaryIO) -> int:
    with open(source, "rb") as file:
        shutil.copyfileobj(file, sink, 1 << 20)
        return file.tell()


def _archived(directory: str, sink: BinaryIO) -> int:
    return write_archive(directory, members(directory), sink)[1]


def _mode_of(path: str) -> int:
    """The permissions of the existing file, else those of a new one."""
    try:
        return os.stat(path).st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0o022)
        os.umask(mask)
        return 0o666 & ~mask


def _check_writable(path: str) -> None:
    parent = os.path.dirname(os.path.realpath(path))
    if os.path.isdir(path):
        raise OptionError(f"-o {path}: it is a directory; expected the name of a file")
    if not os.path.isdir(parent):
        raise OptionError(f"-o {path}: there is no directory {parent}")
    if not os.access(path if os.path.exists(path) else parent, os.W_OK):
        raise OptionError(f"-o {path}: it can't be written: permission denied")
