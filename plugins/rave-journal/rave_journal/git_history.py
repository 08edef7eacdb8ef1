"""The history of a git repository, as commits of documents."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rave_core.errors import RaveError
from rave_journal.journal import Draft

_FORMAT: Final = "%x01%H%x00%an%x00%at%x00%B%x00"


class GitError(RaveError):
    """A repository can't be read; the message has what git said."""


def git_drafts(repository: Path) -> Iterator[Draft]:
    """A draft for each file that each commit changed or deleted, oldest first; only the first parents of merges count.

    The key of a file is its path with ``.`` in place of ``/``.

    Raises:
        GitError: there is no repository, git is not installed, or two files would have one key.
    """
    arguments = [
        "log",
        "--reverse",
        "--first-parent",
        "-m",
        "--no-renames",
        "--ignore-submodules=all",
        "--name-status",
        "-z",
    ]
    versions: dict[str, int] = {}
    paths: dict[str, str] = {}
    for block in _git(repository, *arguments, f"--format={_FORMAT}").decode(errors="surrogateescape").split("\x01")[1:]:
        commit, author, time, message, *rest = block.split("\0")
        changes = [each.strip("\n") for each in rest if each.strip("\n")]
        for status, path in zip(changes[::2], changes[1::2], strict=True):
            key = path.replace("/", ".")
            if paths.setdefault(key, path) != path:
                raise GitError(f"{repository}: {paths[key]!r} and {path!r} would have the same key {key!r}")
            payload = None if status == "D" else _git(repository, "cat-file", "blob", f"{commit}:{path}")
            versions[key] = versions.get(key, 0) + 1
            yield Draft(key, versions[key], payload, author or "git", comment=message.strip(), time=float(time))


def _git(repository: Path, *arguments: str) -> bytes:
    command = ["git", "-C", str(repository), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603  # the arguments are ours
    except FileNotFoundError:
        raise GitError("git is not installed, or not in PATH") from None
    except subprocess.CalledProcessError as error:
        raise GitError(f"{repository}: {error.stderr.decode(errors='replace').strip()}") from None
    return done.stdout
