"""API keys: each stands for a user. The file keeps digests, so a reader of it learns no key.

A key reads ``rave_ID_SECRET``, both parts in hexadecimal: the ID names it in lists and logs, the secret is 32 random
bytes and is shown only when the key is made.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Final, Self

from rave_core.clock import Clock
from rave_core.errors import ConfigurationError, UnknownNameError, describe_error, nearest
from rave_core.settings.sources import user_directory
from rave_http.auth.api_key_file import ApiKey, Mark, locked, mark_of, read, write
from rave_http.settings import PERMISSIONS, ServiceSettings

_log = logging.getLogger("rave.http")

PREFIX: Final = "rave_"
"""Every key starts with it, so that a key in the wrong place is easily found, by people and by scanners."""
RESERVED: Final = frozenset({"*", "-", "anonymous"})
"""Names that no user can have, since they mean something else in settings and logs."""

_ID_SIZE = 6
_SECRET_SIZE = 32
_KEY_LENGTH = len(PREFIX) + 2 * _ID_SIZE + 1 + 2 * _SECRET_SIZE
_LONGEST_NAME = 200
_PACE = 1.0
_NEWCOMERS: Final = 0.05  # seconds between reads of the file when an unknown key comes in


class KeyStore:
    """The keys in one file. Safe for threads, and for processes that change the file at the same time.

    Attributes:
        path: of the file, which need not exist.
    """

    def __init__(self, path: str | os.PathLike[str], clock: Clock, *, strict: bool = True) -> None:
        """Reads the file.

        Args:
            path: of the file.
            clock: the time by which keys expire.
            strict: whether trouble with the file is raised. A replacement worker should rather serve without keys, and
                log why, than not serve at all.

        Raises:
            ConfigurationError: the file is damaged, or others can read it; the message names it.
        """
        self.path = Path(path)
        self._clock = clock
        self._keys: Mapping[str, ApiKey] = {}
        self._mark: Mark = None
        self._looked_at = clock.monotonic()
        self._looking = threading.Lock()
        self._complaint = ""
        if strict:
            self._mark, self._keys = read(self.path)
        else:
            self.look()

    @classmethod
    def of(cls, settings: ServiceSettings, clock: Clock, *, strict: bool = True) -> Self:
        """The store of the settings.

        Raises:
            ConfigurationError: its file is damaged, or others can read it.
        """
        return cls(keys_file(settings), clock, strict=strict)

    def current(self) -> Mapping[str, ApiKey]:
        """The keys by ID, no older than a second or so. Never raises: while the file is in trouble, they stay.

        It may read the file; a service that calls `look` in a thread more than once a second avoids that.
        """
        if self._clock.monotonic() - self._looked_at >= _PACE:
            self.look()
        return self._keys

    def look(self) -> None:
        """Reads the file if it changed; trouble is logged, once. Does nothing while another thread is at it."""
        if not self._looking.acquire(blocking=False):
            return
        try:
            self._looked_at = self._clock.monotonic()
            if mark_of(self.path) != self._mark:
                self._mark, self._keys = self._read_again()
            if self._complaint:
                _log.warning("%s can be read again", self.path)
            self._complaint = ""
        except Exception as error:  # noqa: BLE001  # whatever it is, requests are answered
            self._complain(
                str(error) if isinstance(error, ConfigurationError) else f"{self.path}: {describe_error(error)}"
            )
        finally:
            self._looking.release()

    def find(self, text: str) -> ApiKey | None:
        """The key that reads ``text``; ``None`` if there is none, or it was revoked or has expired.

        The time it takes does not reveal how much of ``text`` was right.
        """
        if len(text) != _KEY_LENGTH or not text.startswith(PREFIX) or not text.isascii():
            return None
        identifier, _, secret = text[len(PREFIX) :].partition("_")
        key = self.current().get(identifier)
        if key is None and self._clock.monotonic() - self._looked_at >= _NEWCOMERS:
            self.look()  # the key may be new
            key = self._keys.get(identifier)
        fits = hmac.compare_digest(_digest(secret), key.digest if key else "0" * 64)
        return key if key and fits and key.state(self._clock.now()) == "valid" else None

    def list(self) -> list[ApiKey]:
        """All keys, including those that are no longer valid, by user and then by age."""
        return sorted(self.current().values(), key=lambda key: (key.user, key.created_at, key.id))

    def has_valid(self) -> bool:
        """Whether there is a key that can be used now."""
        now = self._clock.now()
        return any(key.state(now) == "valid" for key in self.current().values())

    def create(
        self,
        user: str,
        *,
        note: str = "",
        expires_after: float | None = None,
        permissions: Iterable[str] | None = None,
    ) -> str:
        """Makes a key for ``user`` and returns it. The key can't be shown again.

        Args:
            user: the name by which permissions are given.
            note: what it is for, in one line.
            expires_after: seconds that it is valid; ``None`` forever.
            permissions: all that it may be used for, of what the user may; ``None`` for everything.

        Raises:
            ConfigurationError: the name or the note can't be used, the key would not be valid for any time, or the
                file is damaged.
            UnknownNameError: there is no such permission.
            OSError: the file can't be written.
        """
        check_user(user)
        if not note.isprintable():
            raise ConfigurationError(f"the note {note!r} can't be kept: write one line of printable characters")
        if expires_after is not None and not expires_after > 0:
            raise ConfigurationError(f"a key can't be valid for {expires_after:g} seconds: write e.g. '90d'")
        narrowed = None if permissions is None else _checked_permissions(permissions)
        secret, now = secrets.token_hex(_SECRET_SIZE), self._clock.now()
        with self._changing() as keys:
            identifier = _new_id(keys)
            keys[identifier] = ApiKey(
                id=identifier,
                user=user,
                digest=_digest(secret),
                created_at=now,
                expires_at=None if expires_after is None else now + expires_after,
                note=note,
                permissions=narrowed,
            )
        return f"{PREFIX}{identifier}_{secret}"

    def revoke(self, name: str) -> ApiKey:
        """Revokes a key for good and returns its record. A key that is already revoked stays as it is.

        Args:
            name: its ID, or the key itself.

        Raises:
            UnknownNameError: there is no such key.
            ConfigurationError: the file is damaged.
            OSError: the file can't be written.
        """
        identifier = name.removeprefix(PREFIX).partition("_")[0]
        with self._changing() as keys:
            if identifier not in keys:
                raise UnknownNameError(f"no API key has the ID {identifier!r}; {nearest(identifier, keys)}")
            key = keys[identifier]
            if key.revoked_at is None:
                keys[identifier] = key = replace(key, revoked_at=self._clock.now())
        return key

    @contextmanager
    def _changing(self) -> Iterator[dict[str, ApiKey]]:
        """The keys as they are now, to be changed; they are written after the block. One process at a time."""
        path = Path(os.path.realpath(self.path))  # what a link leads to is replaced, not the link
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(f"{path}.lock"):
            _, keys = read(path)
            yield keys
            write(path, keys)
        self.look()

    def _read_again(self) -> tuple[Mark, Mapping[str, ApiKey]]:
        mark, keys = read(self.path)
        if mark is None and self._keys:
            _log.warning("%s is gone, and so no API key is valid any more", self.path)
        return mark, keys

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            _log.error("%s; until that is fixed, the API keys stay as they were", complaint)
        self._complaint = complaint


def keys_file(settings: ServiceSettings, environ: Mapping[str, str] = os.environ) -> Path:
    """The file of the API keys: the one of the settings, else ``keys.json`` beside the user's ``rave.toml``."""
    if settings.keys_file is not None:
        return Path(settings.keys_file)
    return user_directory("config", environ) / "keys.json"


def check_user(name: str) -> None:
    """Returns if ``name`` can be a user's.

    Raises:
        ConfigurationError: it can't; the message says why.
    """
    if not name or name != name.strip() or not name.isprintable():
        raise ConfigurationError(f"{name!r} can't be a user's name: write printable characters, no blanks around them")
    if len(name) > _LONGEST_NAME:
        raise ConfigurationError(f"a user's name of {len(name)} characters is too long: {_LONGEST_NAME} at most")
    if name in RESERVED:
        raise ConfigurationError(f"{name!r} can't be a user's name: it has a meaning of its own in 'permissions'")


def _checked_permissions(names: Iterable[str]) -> frozenset[str]:
    chosen = frozenset(names)
    for name in chosen.difference(PERMISSIONS):
        raise UnknownNameError(f"no permission is called {name!r}; {nearest(name, PERMISSIONS)}")
    return chosen


def _digest(secret: str) -> str:
    # Nobody can guess 32 random bytes, however fast the hash: a slow one, as passwords need, would protect nothing.
    return blake2b(secret.encode(), digest_size=32, person=b"rave-api-key-v1").hexdigest()


def _new_id(taken: Mapping[str, ApiKey]) -> str:
    while (identifier := secrets.token_hex(_ID_SIZE)) in taken:
        pass
    return identifier
