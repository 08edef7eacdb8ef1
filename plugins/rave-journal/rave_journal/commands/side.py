"""Where a command works: on the document store of the settings, or on a service."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterator
from typing import Final, Protocol

import click

from rave_core import current_runtime
from rave_core.errors import RaveError, UnknownNameError, nearest
from rave_journal.commits import Commit
from rave_journal.differences import colour_of, difference
from rave_journal.journal import Draft
from rave_journal.settings import JournalSettings

KEY_VARIABLE: Final = "RAVE_KEY"


class Commits(Protocol):
    """A journal, wherever it is."""

    name: str

    def get(self, key: str, version: int | None = None) -> Commit | None:
        """A commit with its payload, the newest one by default; ``None`` if there is none."""

    def heads(self, *, deleted: bool = False) -> Iterator[Commit]:
        """The newest commit of each key with its payload, in the order of keys."""

    def history(self, key: str) -> list[Commit]:
        """The commits of a key, newest first, without payloads."""

    def commit(self, draft: Draft) -> Commit:
        """Makes a commit; returns it without its payload."""


class NoCommitError(RaveError, LookupError):
    """There is no such commit."""


class Side:
    """The journal that the switches of ``rave journal`` choose, opened when it is first needed."""

    def __init__(self, name: str | None, url: str | None, author: str | None) -> None:
        self._name, self._url = name, url
        self.author = author or _user()
        self._opened: Commits | None = None

    @property
    def is_remote(self) -> bool:
        """Whether it is a service's."""
        return self._url is not None

    @property
    def commits(self) -> Commits:
        """The journal.

        Raises:
            UnknownNameError: the settings name no such journal.
        """
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def found(self, key: str, version: int | None = None) -> Commit:
        """A commit, the newest one by default.

        Raises:
            NoCommitError: there is none.
        """
        commit = self.commits.get(key, version)
        if commit is None:
            wanted = repr(key) if version is None else f"version {version} of {key!r}"
            raise NoCommitError(f"Key not found: there is no {wanted} in {self.commits.name}")
        return commit

    def place(self, commit: Commit) -> str:
        """How people find a commit again: its URL, or who made it and when."""
        if self._url is not None:
            from rave_journal.remote import RemoteJournal

            return RemoteJournal(self._url).place(commit.key, commit.version)
        return f"{commit.mtime} {commit.author}"

    def _open(self) -> Commits:
        if self._url is not None:
            from rave_journal.remote import RemoteJournal

            return RemoteJournal(self._url, os.environ.get(KEY_VARIABLE, ""))
        runtime = current_runtime()
        own = JournalSettings.of(runtime.settings)
        name = self._name or own.default
        if name not in own.journals:
            raise UnknownNameError(f"there is no journal {name!r}; {nearest(name, own.journals)}")
        return own.journal(name, lambda: runtime.documents)


def show_difference(old: Commit | None, new: bytes | None, key: str, new_name: str) -> None:
    """Writes what changed since a commit."""
    old_name = f"{key} 0" if old is None else f"{key} {old.version}"
    for line in difference(None if old is None else old.payload, new, old_name, f"{key} {new_name}"):
        click.secho(visible(line), fg=colour_of(line))


def visible(text: str) -> str:
    """A text, with everything escaped that a terminal would act on."""
    return "".join(each if each.isprintable() or each in "\t\n" else f"\\x{ord(each):02x}" for each in text)


def piped() -> bytes:
    """All of standard input."""
    return sys.stdin.buffer.read()


def write_bytes(payload: bytes) -> None:
    """Writes to standard output, in order with text written there before."""
    sys.stdout.flush()
    sys.stdout.buffer.write(payload)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return f"user {os.getuid()}"
