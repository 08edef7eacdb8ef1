"""Copies directory products to where ``rave run -o`` names."""

from __future__ import annotations

import os
import shutil
import tempfile

from rave_core.errors import OptionError, ProductError
from rave_core.storage.directory_tree import members
from rave_core.storage.targets import check_directory_writable


def is_archive(path: str) -> bool:
    """Whether a directory goes to ``path`` as an archive."""
    return path == "-" or path.lower().endswith(".tar")


def check_copy(path: str) -> None:
    """Refuses a path to which no directory can be copied.

    Raises:
        OptionError: something is there already, or nothing can be written there.
    """
    try:
        check_directory_writable(os.path.realpath(path))
    except ProductError as error:
        raise OptionError(f"-o {path}: {error}") from None


def copy_directory(source: str, path: str) -> int:
    """Copies a directory product to the new or empty directory ``path``, all at once; returns the bytes in its files.

    The copy can be written to, as far as the umask leaves that.

    Raises:
        OSError: it can't be written.
    """
    final, size = os.path.realpath(path), 0
    scratch = tempfile.mkdtemp(prefix=".rave-", dir=os.path.dirname(final))
    try:
        draft = os.path.join(scratch, "copy")
        os.mkdir(draft)
        for member in members(source):
            target = os.path.join(draft, member.name)
            if member.is_directory:
                os.mkdir(target)
                continue
            mode = 0o777 if member.is_executable else 0o666
            file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            with open(os.path.join(source, member.name), "rb") as content, open(file, "wb") as sink:
                shutil.copyfileobj(content, sink, 1 << 20)
            size += member.status.st_size
        os.rename(draft, final)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return size
