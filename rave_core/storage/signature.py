"""The seal: a keyed MAC over an entry's header, so that only holders of the key can make an entry.

Unpickling runs code, so an entry is unpickled only if its seal shows that a holder of the key wrote it. The
algorithm is fixed here and never read from an entry: keyed BLAKE2b (RFC 7693), 32 bytes.
"""

from __future__ import annotations

import hmac
import os
import stat
from hashlib import blake2b
from pathlib import Path

from rave_core.errors import ConfigurationError, SealError
from rave_core.system.ownership import who_may_change

_PERSON = b"rave-seal-v1"
_LONGEST = 1 << 20  # bytes of a key file


class Signer:
    """Signs headers with the first of its keys, and accepts those signed with any of them.

    Without a key the seal is only a checksum: ``trusted`` is false, and nothing may be unpickled.
    """

    __slots__ = ("_keys", "trusted")

    def __init__(self, *keys: bytes) -> None:
        self.trusted = bool(keys)
        self._keys = keys or (b"",)

    def sign(self, data: bytes) -> bytes:
        """The 32 bytes that vouch for ``data``."""
        return blake2b(data, digest_size=32, key=self._keys[0], person=_PERSON).digest()

    def verify(self, data: bytes, mark: bytes) -> None:
        """Returns if ``mark`` vouches for ``data``.

        Raises:
            SealError: it does not; a changed byte and another signing key look the same.
        """
        for key in self._keys:
            if hmac.compare_digest(blake2b(data, digest_size=32, key=key, person=_PERSON).digest(), mark):
                return
        raise SealError("the seal does not match: the header changed, or was sealed with another signing key")


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
