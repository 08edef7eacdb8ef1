"""How a command ends: its exit codes, and the exceptions that lead to them."""

from __future__ import annotations

from typing import Final

import click

from rave_core.cli.output import one_line

DONE: Final = 0
FAILED: Final = 1
"""The operation failed, or a check found something broken."""
USAGE: Final = 2
"""Bad usage or arguments."""
NOTHING: Final = 3
"""A dry run found nothing."""
INTERRUPTED: Final = 130
UNREAD: Final = 141
"""The reader of the output stopped reading; as if by the signal SIGPIPE."""


class OperationFailed(click.ClickException):
    """An operation's own exception, reported in one line."""

    def __init__(self, operation: str, error: Exception) -> None:
        super().__init__(f"{operation} failed: {type(error).__name__}: {one_line(str(error))}".rstrip(": "))


class Left(click.exceptions.Exit):
    """The command was left early."""
