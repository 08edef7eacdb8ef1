"""Who else could change a file: users who own it, can write to it or can replace it."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from functools import lru_cache

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_MOST_LINKS = 40  # as Linux allows
_ACL = "system.posix_acl_access"
_NAMED_IN_ACL = (0x02, 0x08)  # a user, and a group, that the list names
_WRITE_IN_ACL = 0x02


def who_may_change(
    path: str | os.PathLike[str],
    *,
    trusted: frozenset[str] = frozenset(),
    above: bool = True,
    owners: frozenset[int] = frozenset(),
) -> str | None:
    """Why ``path`` can't be trusted, in words that name the file or directory; ``None`` if it can.

    ``path`` and every directory above it must belong to this user or root (or the user of ``sudo``), and nobody else
    may write there, by mode or access control list. A directory with the sticky bit, such as /tmp, may be writable for
    all, because nobody can replace another user's files there. The owner's own group, without other members, does not
    count as somebody else. Links are followed one by one: each of them, and every directory on the way, must be as safe
    as the target. A path that does not exist is no problem.

    Args:
        path: a file or directory; relative ones start at the working directory.
        trusted: directories that are trusted with all below them, whatever user owns them.
        above: whether to check the directories above it; once is enough for all files in one directory.
        owners: numbers of further users who may own what is there.
    """
    if os.name != "posix":
        return None
    found = os.path.abspath(path)
    if trusted:
        resolved = os.path.realpath(found)
        if any(_is_below(resolved, each) for each in trusted):
            return None
    places = reversed([*_on_the_way(found)]) if above or os.path.islink(found) else (found,)
    for place in places:
        reason = _reason(place, owners)
        if reason:
            return f"{place} {reason}"
    return None


def _on_the_way(path: str) -> Iterator[str]:
    """Every directory and link that the system passes when it opens an absolute path, the path's target last."""
    left, place, links = path.split("/")[::-1], "/", 0
    yield place
    while left:
        name = left.pop()
        if name in ("", "."):
            continue
        if name == "..":
            place = os.path.dirname(place)
            continue
        step = os.path.join(place, name)
        yield step
        target = _target(step) if links < _MOST_LINKS else None
        if target is None:
            place = step
            continue
        links += 1
        left += target.split("/")[::-1]
        place = "/" if target.startswith("/") else place


def _target(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:  # no link, or nothing that can be reached
        return None


def _is_below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory.rstrip('/')}/")


def _reason(path: str, owners: frozenset[int]) -> str | None:
    try:
        info = os.lstat(path)
    except OSError:
        return None
    if info.st_uid not in _ourselves() | owners:
        return f"belongs to another user ({name_of(info.st_uid)})"
    is_sticky = stat.S_ISDIR(info.st_mode) and info.st_mode & stat.S_ISVTX
    if stat.S_ISLNK(info.st_mode) or is_sticky or not info.st_mode & _OTHERS_WRITE:
        return None
    if info.st_mode & stat.S_IWOTH:
        return "may be written to by everybody"
    if _has_named_writers(path):
        return "may be written to by others whom its access control list names"
    return None if _is_private_group(info.st_gid, info.st_uid) else "may be written to by others of its group"


def _has_named_writers(path: str) -> bool:
    """Whether an access control list lets others write. If so, the mode's bits for the group say what it allows most.

    The list is Linux's: after a number of 4 bytes, entries of a kind, permissions, and a user's or group's number.
    """
    try:
        entries = os.getxattr(path, _ACL)[4:]
    except (OSError, AttributeError):  # there is none, or the system has no such lists
        return False
    return any(
        kind in _NAMED_IN_ACL and allowed & _WRITE_IN_ACL
        for kind, allowed, _ in struct.iter_unpack("<HHI", entries[: len(entries) // 8 * 8])
    )


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
    """Whether a group is a user's own, as many systems give each user one: of the same name, without other members.

    Nobody else may be in it, neither as one of its members nor because it is the first group of that user.
    """
    try:
        import grp
        import pwd

        user, group = pwd.getpwuid(uid), grp.getgrgid(gid)
    except (ImportError, KeyError):
        return False
    if user.pw_gid != gid or group.gr_name != user.pw_name or not set(group.gr_mem) <= {user.pw_name}:
        return False
    return all(each.pw_uid == uid for each in pwd.getpwall() if each.pw_gid == gid)
