"""The seal: a keyed MAC over an entry's header, so that only holders of the key can make an entry.

Unpickling runs code, so an entry is unpickled only if its seal shows that a holder of the key wrote it. The
algorithm is fixed here and never read from an entry: keyed BLAKE2b (RFC 7693), 32 bytes. What it is personalised with
tells which algorithm digested the payload, so that an entry from a store where a quick digest is enough is a stranger
in every other store, even one with the same key.
"""

from __future__ import annotations

import hmac
import os
import stat
from hashlib import blake2b
from pathlib import Path
from typing import Any

from rave_core.backend.frame_header import FORMAT
from rave_core.errors import ConfigurationError, SealError
from rave_core.storage.digests import BLAKE2B, BLAKE3, XXH3, Algorithm
from rave_core.system.ownership import who_may_change

_PERSONS = {BLAKE2B: b"rave-seal-v1", BLAKE3: b"rave-seal-blake3", XXH3: b"rave-seal-xxh3"}
_LONGEST = 1 << 20  # bytes of a key file


class Signer:
    """Signs headers with the first of its keys, and accepts those signed with any of them.

    Without a key the seal is only a checksum: ``trusted`` is false, and nothing may be unpickled.

    Attributes:
        algorithm: digests what this signer signs for: `XXH3` in a private store, `BLAKE3` in any other.
    """

    __slots__ = ("_first_format", "_seals", "algorithm", "trusted")

    def __init__(self, *keys: bytes, private: bool = False) -> None:
        """Signs with ``keys``, at most 64 bytes each; ``private`` if nobody else can write where the entries lie."""
        self.trusted = bool(keys)
        self.algorithm = XXH3 if private else BLAKE3
        accepted = (XXH3, BLAKE3) if private else (BLAKE3,)
        self._seals = [(_seal(key, known), known) for known in accepted for key in keys or (b"",)]
        self._first_format = [(_seal(key, BLAKE2B), BLAKE2B) for key in keys or (b"",)]

    def sign(self, data: bytes) -> bytes:
        """The 32 bytes that vouch for ``data``."""
        return _mark(self._seals[0][0], data)

    def verify(self, data: bytes, mark: bytes, number: int = FORMAT) -> Algorithm:
        """The algorithm of the digests in ``data`` if ``mark`` vouches for it, in the format ``number``.

        Raises:
            SealError: it does not; a changed byte and another signing key look the same.
        """
        for seal, algorithm in self._seals if number == FORMAT else self._first_format:
            if hmac.compare_digest(_mark(seal, data), mark):
                return algorithm
        raise SealError("the seal does not match: the header changed, or was sealed with another signing key")


def _seal(key: bytes, algorithm: Algorithm) -> Any:
    return blake2b(digest_size=32, key=key, person=_PERSONS[algorithm])


def _mark(seal: Any, data: bytes) -> bytes:
    state = seal.copy()  # the key is a block of its own, which is digested already
    state.update(data)
    mark: bytes = state.digest()
    return mark


def load_key(path: str, *, trusted: frozenset[str] = frozenset()) -> bytes:
    """The signing key in the file ``path``: its bytes without white space around them, 16 at least.

    Anyone who can change the key can have their own pickles trusted. The file and the directories above it must
    therefore belong to this user or root, and nobody else may write to them; see
    `rave_core.system.ownership.who_may_change`. The file's group may read it.

    Args:
        path: of the file.
        trusted: directories in which a key is trusted whatever user owns them.

    Raises:
        ConfigurationError: the file can't be read, is too short, or others may change it or everybody may read it.
    """
    place = Path(path).expanduser()
    try:
        file = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(file, "rb") as source:
            mode, text = os.fstat(file).st_mode, source.read(_LONGEST).strip()
    except OSError as error:
        raise ConfigurationError(f"signing_key_file {path!r} can't be read: {error.strerror}") from error
    reason = who_may_change(place, trusted=trusted)
    if reason is not None:
        raise ConfigurationError(
            f"signing_key_file {path!r} is refused: {reason}; move it to where only you and root may write, or, if you "
            f"trust what is there: rave config trust {place.absolute().parent}"
        )
    if mode & (stat.S_IROTH | stat.S_IWGRP | stat.S_IWOTH):
        what = "readable by everybody" if mode & stat.S_IROTH else "writable by others"
        raise ConfigurationError(f"signing_key_file {path!r} is {what}; chmod g-w,o-rwx is needed")
    if len(text) < 16:
        raise ConfigurationError(f"signing_key_file {path!r} holds {len(text)} bytes; 16 or more are needed")
    return blake2b(text, digest_size=64, person=b"rave-key-v1").digest()
