"""Switches that several commands take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def places_option(command: F) -> F:
    """Adds the switches ``--data`` and ``--products``."""
    command = click.option("--products", is_flag=True, help="Only the cache of files.")(command)
    return click.option("--data", is_flag=True, help="Only the cache of values.")(command)


def json_option(keys: str) -> Callable[[F], F]:
    """Adds ``--json``; ``keys`` says what it prints."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print {keys}.")


def user_option(command: F) -> F:
    """Adds ``--user``."""
    told = "Whose slates the arguments name, as in config=slate:page."
    return click.option("--user", metavar="NAME", help=told)(command)
