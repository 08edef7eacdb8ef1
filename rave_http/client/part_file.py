"""The part file: the incomplete bytes of a product, beside its target file. An interrupted download can resume from it.

``.NAME.part`` holds the bytes, ``.NAME.part.json`` describes their product. The process that writes it holds its lock.
Another process that wants the same file at that time uses a file under its own name, which it does not keep.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import stat
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any, Final

from rave_http.client.sinks import Facts, Sink, digest_of
from rave_http.client.transport import logger

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_LONGEST_NAME: Final = 200


class PartFile(Sink):
    """The file in which a product grows. For one thread."""

    def __init__(self, target: Path, identity: str, *, resume: bool = True) -> None:
        """Opens it, with the bytes that an interrupted run left of the same product.

        Args:
            target: the file that it will be, as far as that is known: it names the part file.
            identity: distinguishes requests; the part file of another request is not resumed.
            resume: whether to resume, and to keep the file so that a later run can.

        Raises:
            OSError: it can't be written there.
        """
        self._identity = identity
        stem, mode = _fitting(target.name), _mode_of(target)
        self._path = target.with_name(f".{stem}.part")
        self._file: IO[bytes] | None = _kept(self._path, mode) if resume else None
        self._is_kept = self._file is not None
        if self._file is None:
            self._path = target.with_name(f".{stem}.{os.urandom(6).hex()}.part")
            self._file = os.fdopen(os.open(self._path, _FLAGS | os.O_EXCL, mode), "r+b")
        else:
            self._read_note()

    def begin(self, facts: Facts) -> None:
        """See ``Sink``."""
        super().begin(facts)
        if self._is_kept:
            # Before any byte, so that the description always matches the bytes beside it.
            self._write_note()

    def forget(self) -> None:
        """See ``Sink``."""
        self.file.seek(0)
        self.file.truncate()
        self.size, self.facts = 0, Facts()

    def write(self, part: bytes) -> None:
        """See ``Sink``."""
        self.file.write(part)
        self.size += len(part)

    def digest(self, algorithm: str) -> bytes:
        """See ``Sink``."""
        self.file.flush()
        self.file.seek(0)
        try:
            return digest_of(self.file, algorithm)
        finally:
            self.file.seek(self.size)

    def commit(self, target: Path) -> None:
        """Replaces ``target`` with the file atomically, with the permissions of the existing file.

        Raises:
            OSError: the target can't be replaced.
        """
        self.file.flush()
        if target.exists():
            os.fchmod(self.file.fileno(), _mode_of(target))
        os.replace(self._path, target)
        self._note.unlink(missing_ok=True)
        self._close()

    def leave(self) -> None:
        """Ends without a product. Keeps the file if a later run can resume it, else removes it."""
        if self._file is None:
            return
        if not (self._is_kept and self.can_go_on):
            self._path.unlink(missing_ok=True)
            self._note.unlink(missing_ok=True)
        with suppress(OSError):  # a full disk, which is already reported
            self._close()

    @property
    def file(self) -> IO[bytes]:
        """The open file."""
        assert self._file is not None, "the part file is closed"
        return self._file

    @property
    def _note(self) -> Path:
        return self._path.with_name(f"{self._path.name}.json")

    def _close(self) -> None:
        file, self._file = self.file, None
        file.close()

    def _write_note(self) -> None:
        self._note.unlink(missing_ok=True)
        if self.facts.etag:
            _write_private(self._note, json.dumps({"identity": self._identity, **asdict(self.facts)}))

    def _read_note(self) -> None:
        """Resumes from the existing bytes, if their description matches the wanted product."""
        facts = _facts_in(self._note, self._identity)
        size = os.fstat(self.file.fileno()).st_size
        if facts is None or not facts.etag or (facts.total is not None and size > facts.total):
            self.forget()
            return
        self.facts, self.size = facts, size
        self.file.seek(size)


def _fitting(name: str) -> str:
    """A name short enough to be valid with our prefix and suffix."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= _LONGEST_NAME else hashlib.sha256(encoded).hexdigest()


def _kept(path: Path, mode: int) -> IO[bytes] | None:
    """The part file of that name, locked; ``None`` if it is not ours to use."""
    try:
        descriptor = os.open(path, _FLAGS, mode)
    except OSError:
        return None  # a link, or another user's; where nothing can be written the next name fails too, and says so
    file = os.fdopen(descriptor, "r+b")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_ours(os.fstat(descriptor)) and os.path.samestat(os.fstat(descriptor), os.lstat(path)):
            return file
    except OSError:
        pass
    file.close()
    return None


def _is_ours(found: os.stat_result) -> bool:
    """Whether no other user could have put other bytes there."""
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink == 1


def _facts_in(note: Path, identity: str) -> Facts | None:
    try:
        descriptor = os.open(note, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            found: dict[str, Any] = json.load(file) if _is_ours(os.fstat(descriptor)) else {}
        if found.pop("identity") != identity:
            return None
        facts = replace(Facts(), **found)
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return None
    texts_fit = all(isinstance(each, str) for each in (facts.url, facts.etag, facts.media_type))
    return facts if texts_fit and (facts.total is None or isinstance(facts.total, int)) else None


def _write_private(path: Path, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        logger.debug("%s can't be written, so that the next run will begin anew: %s", path, error)


def _mode_of(path: Path) -> int:
    """The permissions of the existing file, else those of a new one before the umask."""
    try:
        return os.stat(path).st_mode & 0o777
    except OSError:
        return 0o666
