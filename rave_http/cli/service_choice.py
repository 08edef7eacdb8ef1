"""Which service a command asks, and with which API key."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from rave_core.cli.ending import FAILED, USAGE, Left
from rave_core.cli.output import note, one_line
from rave_core.cli.session import current_session

if TYPE_CHECKING:
    from rave_http.client import Client

F = TypeVar("F", bound=Callable[..., Any])


def service_options(command: F) -> F:
    """Adds the switches ``--url`` and ``--key-file``."""
    command = click.option("--key-file", metavar="FILE", type=click.File(), help="Read the API key from FILE.")(command)
    return click.option("--url", metavar="URL", help="The service, as in http://127.0.0.1:8888.")(command)


@contextmanager
def chosen_client(url: str | None, key_file: IO[str] | None) -> Iterator[Client]:
    """A client of the service at ``url``, or else of the one that the settings describe. Its errors end the command.

    The key is that of ``--key-file``, or of the variable ``RAVE_KEY``.
    """
    from rave_http.client import BadRequest, BadURL, Client, ClientError

    key = os.environ.get("RAVE_KEY", "") if key_file is None else key_file.read()
    try:
        with Client(url or configured_url(), key.strip() or None) as client:
            yield client
    except ClientError as error:
        note(f"error: {one_line(str(error))}")
        raise Left(USAGE if isinstance(error, (BadURL, BadRequest)) else FAILED) from None


def configured_url() -> str:
    """The URL of the service that the settings describe.

    Raises:
        UsageError: it listens where no URL leads.
    """
    from rave_http.settings import ServiceSettings

    own = ServiceSettings.of(current_session().settings)
    if own.url_base.startswith(("http://", "https://")):
        return own.url_base
    if own.bind.startswith("unix:"):
        raise click.UsageError(f"the service of the settings listens on {own.bind}: name its URL by --url")
    return f"http://{own.bind}{own.url_base}"
