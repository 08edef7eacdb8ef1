"""Whose code and configuration is trusted: the user's own, root's, and that in directories the user trusts.

A settings file chooses which code is loaded and which pickles are trusted, and a namespace is code. So neither is
accepted from another user or from a place where others can write, unless `rave config trust` allows it. Each user has a
list of trusted directories, in a file next to the user's settings.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from rave_core.errors import ConfigurationError
from rave_core.settings.sources import user_directory
from rave_core.system.ownership import who_may_change

_FILE = "trusted"


def doubt(
    path: str | os.PathLike[str],
    environ: Mapping[str, str] = os.environ,
    *,
    above: bool = True,
    owners: frozenset[int] = frozenset(),
) -> str | None:
    """Why ``path`` is not trusted, and how to trust it; ``None`` if it is trusted.

    Args:
        path: a file or directory.
        environ: the environment variables, which say where the user's configuration is.
        above: whether to check the directories above it.
        owners: numbers of further users who may own it.
    """
    reason = who_may_change(path, above=above, owners=owners)
    if reason is None:
        return None
    if who_may_change(path, above=above, owners=owners, trusted=frozenset(trusted(environ))) is None:
        return None
    place = os.path.abspath(path)
    directory = place if os.path.isdir(place) else os.path.dirname(place)
    return f"{reason}; if you trust what is there: rave config trust {directory}"


def trusted(environ: Mapping[str, str] = os.environ) -> list[str]:
    """The directories that the user trusts, in order."""
    path = _file(environ)
    try:
        with path.open(encoding="utf-8") as file:
            info = os.fstat(file.fileno())
            if info.st_uid not in (0, os.geteuid()) or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return []  # somebody else may have written it
            return sorted({line for line in file.read().split("\n") if os.path.isabs(line)})
    except (OSError, UnicodeDecodeError):
        return []


def trust(directory: str, environ: Mapping[str, str] = os.environ) -> str:
    """Trusts a directory and all below it; returns its path, with links resolved.

    Raises:
        ConfigurationError: there is no such directory, or the list can't be written.
    """
    place = os.path.realpath(directory)
    if not os.path.isdir(place) or "\n" in place:
        raise ConfigurationError(f"{directory!r} can't be trusted: name a directory that exists")
    _write({*trusted(environ), place}, environ)
    return place


def distrust(directory: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Removes a directory, which need not exist, from the list; returns whether it was there.

    Raises:
        ConfigurationError: the list can't be written.
    """
    known = set(trusted(environ))
    left = known - {directory, os.path.realpath(directory)}
    if left == known:
        return False
    _write(left, environ)
    return True


def _file(environ: Mapping[str, str]) -> Path:
    return user_directory("config", environ) / _FILE


def _write(directories: set[str], environ: Mapping[str, str]) -> None:
    path = _file(environ)
    temporary = path.with_name(f"{_FILE}.{os.getpid()}")
    try:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as sink:
            sink.writelines(f"{each}\n" for each in sorted(directories))
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise ConfigurationError(
            f"the list of trusted directories {path} can't be written: {error.strerror}"
        ) from error
