"""Where ``rave_tofile`` writes: a path of the caller's own, written all at once or not at all, and never kept."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from typing import Any

from rave_core.errors import ProductError
from rave_core.model import Kind, OperationSpec
from rave_core.storage.cache import Destination
from rave_core.storage.written import check_directory, suffix_of, written_file


def target_of(spec: OperationSpec, target: Any) -> Destination:
    """The destination of a call with ``rave_tofile``.

    Raises:
        ProductError: nothing can be written there.
    """
    return DirectoryTarget(target) if spec.kind is Kind.DIRECTORY else Target(target)


class Target(Destination):
    """A file of the caller's (``rave_tofile``), written all at once or not at all, and never kept."""

    def __init__(self, target: Any) -> None:
        self.target = target
        self._path = os.path.realpath(os.fspath(target))
        _check_writable(self._path)
        self._in_place = os.path.exists(self._path) and (
            not stat.S_ISREG(os.stat(self._path).st_mode) or not os.access(os.path.dirname(self._path), os.W_OK)
        )

    def prepare(self, spec: OperationSpec) -> tuple[str, ...]:
        """A path next to the target; elsewhere if the target is a device or a pipe, or no file can go next to it."""
        parent = None if self._in_place else os.path.dirname(self._path)
        directory = tempfile.mkdtemp(prefix=".rave-", dir=parent)
        return (os.path.join(directory, f"product{suffix_of(spec.mime_type)}"),)

    def collect(self, spec: OperationSpec, prepared: tuple[str, ...], returned: object) -> Any:
        """The caller's path, which now holds what the body wrote."""
        draft = written_file(spec, prepared[0])
        try:
            if self._in_place:
                with open(draft, "rb") as source, open(self._path, "wb") as sink:
                    shutil.copyfileobj(source, sink)
            else:
                os.replace(draft, self._path)
        except OSError as error:
            raise ProductError(f"rave_tofile={self._path!r} can't be written: {error.strerror}") from error
        self.abandon(prepared)
        return self.target

    def abandon(self, prepared: tuple[str, ...]) -> None:
        """Removes the directory of the draft."""
        shutil.rmtree(os.path.dirname(prepared[0]), ignore_errors=True)


class DirectoryTarget(Destination):
    """A directory of the caller's (``rave_tofile``): a new one, or an empty one that is replaced."""

    def __init__(self, target: Any) -> None:
        self.target = target
        self._path = os.path.realpath(os.fspath(target))
        check_directory_writable(self._path)

    def prepare(self, spec: OperationSpec) -> tuple[str, ...]:
        """A new directory next to the target."""
        path = os.path.join(tempfile.mkdtemp(prefix=".rave-", dir=os.path.dirname(self._path)), "product")
        os.mkdir(path)
        return (path,)

    def collect(self, spec: OperationSpec, prepared: tuple[str, ...], returned: object) -> Any:
        """The caller's path, which is now the directory that the body wrote."""
        check_directory(spec, prepared[0])
        try:
            os.rename(prepared[0], self._path)
        except OSError as error:
            raise ProductError(f"rave_tofile={self._path!r} can't be written: {error.strerror}") from error
        self.abandon(prepared)
        return self.target

    def abandon(self, prepared: tuple[str, ...]) -> None:
        """Removes the directory of the draft."""
        shutil.rmtree(os.path.dirname(prepared[0]), ignore_errors=True)


def _check_writable(path: str) -> None:
    parent = os.path.dirname(path)
    if os.path.isdir(path):
        raise ProductError(f"rave_tofile={path!r} is a directory; expected the name of a file")
    if not os.path.isdir(parent):
        raise ProductError(f"rave_tofile={path!r}: there is no directory {parent!r}")
    if not os.access(path if os.path.exists(path) else parent, os.W_OK):
        raise ProductError(f"rave_tofile={path!r} can't be written: permission denied")


def check_directory_writable(path: str) -> None:
    """Raises `ProductError` unless a new directory can be put at ``path``, in place of an empty one if there is one."""
    parent = os.path.dirname(path)
    if os.path.lexists(path) and (not os.path.isdir(path) or os.listdir(path)):
        what = "is not empty" if os.path.isdir(path) else "is not a directory"
        raise ProductError(f"{path!r} {what}; expected the name of a new directory, or an empty one")
    if not os.path.isdir(parent):
        raise ProductError(f"{path!r}: there is no directory {parent!r}")
    if not os.access(parent, os.W_OK):
        raise ProductError(f"{path!r} can't be written: permission denied")
