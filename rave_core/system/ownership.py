"""Who else could change a file: users who own it, can write to it or can replace it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def who_may_change(
    path: str | os.PathLike[str], *, trusted: frozenset[str] = frozenset(), above: bool = True
) -> str | None:
    """Why ``path`` can't be trusted, in words that name the file or directory; ``None`` if it can.

    ``path`` and every directory above it must belong to this user or root (or the user of ``sudo``), and nobody else
    may write there. A directory with the sticky bit, such as /tmp, may be writable for all, because nobody can replace
    another user's files there. The owner's own group, without other members, does not count as somebody else. Links
    are followed and must be as safe as their targets. A path that does not exist is no problem.

    Args:
        path: a file or directory; relative ones start at the working directory.
        trusted: directories that are trusted with all below them, whatever user owns them.
        above: whether to check the directories above it; once is enough for all files in one directory.
    """
    if os.name != "posix":
        return None
    found = os.path.abspath(path)
    resolved = os.path.realpath(found)
    if any(_is_below(resolved, each) for each in trusted):
        return None
    places = (*_lineage(found), *_lineage(resolved)) if above or found != resolved else (found,)
    for place in dict.fromkeys(places):
        reason = _reason(place)
        if reason:
            return f"{place} {reason}"
    return None


def _lineage(path: str) -> Iterator[str]:
    """The path, and the directories above it, the nearest first."""
    yield path
    yield from map(str, Path(path).parents)


def _is_below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory.rstrip('/')}/")


def _reason(path: str) -> str | None:
    try:
        link = os.lstat(path)
        info = os.stat(path)
    except OSError:
        return None
    for each in (link, info):
        if each.st_uid not in _ourselves():
            return f"belongs to another user ({name_of(each.st_uid)})"
    if not info.st_mode & _OTHERS_WRITE or (stat.S_ISDIR(info.st_mode) and info.st_mode & stat.S_ISVTX):
        return None
    if info.st_mode & stat.S_IWOTH:
        return "may be written to by everybody"
    return None if _is_private_group(info.st_gid, info.st_uid) else "may be written to by others of its group"


def _ourselves() -> set[int]:
    users = {0, os.geteuid()}
    sudo = os.environ.get("SUDO_UID", "")
    if os.geteuid() == 0 and sudo.isascii() and sudo.isdecimal():
        users.add(int(sudo))
    return users


def name_of(uid: int) -> str:
    """The name of a user, else the number."""
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return str(uid)


@lru_cache(maxsize=64)
def _is_private_group(gid: int, uid: int) -> bool:
    """Whether a group is a user's own, as many systems give each user one: of the same name, without other members."""
    try:
        import grp
        import pwd

        user, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except (ImportError, KeyError):
        return False
    return user.pw_gid == gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
