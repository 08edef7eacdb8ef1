"""The seal: a keyed MAC over an entry's header, so that nobody without the key can make an entry.

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

_PERSON = b"rave-seal-v1"


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
            SealError: it does not; a changed byte and another signing key can't be told apart.
        """
        for key in self._keys:
            if hmac.compare_digest(blake2b(data, digest_size=32, key=key, person=_PERSON).digest(), mark):
                return
        raise SealError("the seal does not fit: the header changed, or was sealed with another signing key")


def load_key(path: str) -> bytes:
    """The signing key in the file ``path``: its bytes without white space around them, 16 at least.

    Raises:
        ConfigurationError: the file can't be read, is open to everybody, or is too short.
    """
    try:
        text = Path(path).expanduser().read_bytes().strip()
        mode = os.stat(Path(path).expanduser()).st_mode
    except OSError as error:
        raise ConfigurationError(f"signing_key_file {path!r} can't be read: {error.strerror}") from error
    if mode & stat.S_IROTH:
        raise ConfigurationError(f"signing_key_file {path!r} is readable by everybody; chmod o-r is needed")
    if len(text) < 16:
        raise ConfigurationError(f"signing_key_file {path!r} holds {len(text)} bytes; 16 or more are needed")
    return blake2b(text, digest_size=64, person=b"rave-key-v1").digest()
