"""The root of a cache, open between calls.

To open it anew for each step, look at it and close it made a hit take 1.1 times as long, and a miss, which has six
steps, 1.06 times. `rooted_files` looks at its path instead, which tells as surely whether the open directory is still
the one that lies there, and who may enter it.
"""

from __future__ import annotations

import errno
import os
import stat
import weakref

from rave_backends.filesystem.openat import DIRECTORY, O_PATH


class OpenRoot:
    """An open directory. It closes with its last user, as one thread may open another while one is at work in this.

    A forked child closes it at once and opens its own: a program that becomes a daemon closes what it inherited, and
    the number would then stand for something else.

    Attributes:
        file: its descriptor; -1 once it is closed.
        device, inode: tell which directory it is. No other one gets them while it is open; -1 once it is closed.
    """

    __slots__ = ("__weakref__", "device", "file", "inode")

    def __init__(self, file: int, info: os.stat_result) -> None:
        self.file, self.device, self.inode = file, info.st_dev, info.st_ino
        _everyone.add(self)

    def close(self) -> None:
        """Closes it for everybody who uses it."""
        file, self.file, self.inode = self.file, -1, -1
        if file >= 0:
            os.close(file)

    def __del__(self) -> None:
        self.close()


def open_root(path: str) -> tuple[OpenRoot, os.stat_result]:
    """The directory ``path``, or the one behind a link there that is ours or root's; and its status.

    Raises:
        FileNotFoundError: nothing is there.
        NotADirectoryError: something else is there, such as a link of another user.
        OSError: it can't be opened.
    """
    try:
        file = os.open(path, DIRECTORY)
    except NotADirectoryError:
        file = _linked(path)
    try:
        info = os.fstat(file)
    except BaseException:
        os.close(file)
        raise
    return OpenRoot(file, info), info


def _linked(path: str) -> int:
    link = os.lstat(path)
    # The root may be a link, but not one of another user's.
    if not stat.S_ISLNK(link.st_mode) or link.st_uid not in (0, os.geteuid()):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    return os.open(path, O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def _after_fork() -> None:
    for root in list(_everyone):
        root.close()


_everyone: weakref.WeakSet[OpenRoot] = weakref.WeakSet()
os.register_at_fork(after_in_child=_after_fork)
