"""The file of the API keys: the record of each key, and how to read and write it. It holds digests, never keys."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec

from rave_core.errors import ConfigurationError
from rave_core.settings.trust import doubt

Mark: TypeAlias = "tuple[int, ...] | None"
"""What differs when the file differs; ``None`` if there is no file."""

_FORMAT = 1
_ONLY_OURS = "only the user who runs the service may read and write it"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """The record of a key.

    Attributes:
        id: 12 hexadecimal digits.
        user: the user that the key stands for.
        digest: of the secret.
        created_at: Unix time.
        expires_at: the Unix time from which on it is not valid; ``None`` for never.
        revoked_at: the Unix time at which it was revoked; ``None`` if it was not.
        note: what it is for.
        permissions: the only permissions of the user that it carries; ``None`` for all.
    """

    id: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{12}\Z")]
    user: Annotated[str, msgspec.Meta(min_length=1)]
    digest: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    note: str = ""
    permissions: frozenset[str] | None = None

    def state(self, now: float) -> Literal["valid", "expired", "revoked"]:
        """Whether it can be used at Unix time ``now``."""
        if self.revoked_at is not None:
            return "revoked"
        return "valid" if self.expires_at is None or now < self.expires_at else "expired"


class _Document(msgspec.Struct):
    """The file."""

    format: int
    keys: list[ApiKey]


def mark_of(path: Path) -> Mark:
    """What differs when the file differs; ``None`` if there is none."""
    try:
        return _mark(os.stat(path))
    except FileNotFoundError:
        return None


def _mark(info: os.stat_result) -> tuple[int, ...]:
    # The inode's time also changes when only the permissions are fixed.
    return (info.st_mtime_ns, info.st_size, info.st_ino, info.st_ctime_ns)


def read(path: Path) -> tuple[Mark, dict[str, ApiKey]]:
    """The file's mark and its keys; none where there is no file.

    Raises:
        ConfigurationError: it can't be read, or must not be trusted.
    """
    try:
        with open(path, "rb", opener=_opened) as stream:
            info = os.fstat(stream.fileno())
            _check_private(path, info)
            content = stream.read()
    except FileNotFoundError:
        return None, {}
    except OSError as error:
        raise ConfigurationError(f"keys_file {path} can't be read: {error.strerror}; {_ONLY_OURS}") from error
    return _mark(info), {key.id: key for key in _decoded(path, content).keys}


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # so that a pipe of that name is refused, not waited for


def _check_private(path: Path, info: os.stat_result) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise ConfigurationError(f"keys_file {path} is not a file: name the file that 'rave key create' writes")
    if info.st_uid != os.geteuid():
        raise ConfigurationError(
            f"keys_file {path} belongs to user {info.st_uid}, not to {os.geteuid()}, who runs this: {_ONLY_OURS}; "
            f"run 'rave key' as that user, or 'chown {os.geteuid()} {path}'"
        )
    if info.st_mode & 0o077:
        raise ConfigurationError(f"keys_file {path} is open to other users: {_ONLY_OURS}; 'chmod 600 {path}' does it")
    reason = doubt(path)  # who can replace the file can put back a key that was revoked
    if reason is not None:
        raise ConfigurationError(f"keys_file {path} is refused: {reason}")


def _decoded(path: Path, content: bytes) -> _Document:
    try:
        document = msgspec.json.decode(content, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(
            f"keys_file {path} is damaged: {error}; put back a copy, or remove it, which makes every key invalid"
        ) from error
    if document.format > _FORMAT:
        raise ConfigurationError(f"keys_file {path} was written by a later version of RAVE: install that one")
    return document


def write(path: Path, keys: Mapping[str, ApiKey]) -> None:
    """Puts a new file in place of the old one; a reader sees the old one or the new one whole."""
    temporary = f"{path}.new"
    Path(temporary).unlink(missing_ok=True)  # what a crash left; others wait for the lock
    content = msgspec.json.encode(_Document(_FORMAT, list(keys.values())), order="deterministic")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.write(msgspec.json.format(content, indent=2) + b"\n")
        stream.flush()
        os.fsync(stream.fileno())  # a key is shown only once, so it must not be lost with the power
    os.replace(temporary, path)


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Holds the lock file ``path``, however long the wait. The system releases the lock of a process that dies."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
