"""Sessions: tokens that stand for a user for some hours, so that a browser need not keep an API key.

The document store keeps the digest of each token, the user and the expiry, in the collection ``_auth``. What a user
keeps (slates) is elsewhere, and does not expire with a token.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

import msgspec
from cachetools import TTLCache

from rave_core.clock import Clock
from rave_core.documents import Conflict, DocumentStore
from rave_http.auth.api_key_file import ApiKey
from rave_http.auth.api_keys import KeyStore
from rave_http.auth.authorization import Principal

COLLECTION: Final = "_auth"
_TOKEN_SIZE: Final = 32
_TOKEN_LENGTH: Final = 43
_KNOWN: Final = 10_000
_SWEEP_EVERY: Final = 3600.0
"""Seconds between removals of tokens that have ended, while users sign in."""
_TRUSTED_FOR: Final = 2.0
"""Seconds for which a token that was found is not looked up again: so long it works here after it ended elsewhere."""

signed_in: Final[ContextVar[str | None]] = ContextVar("rave_signed_in", default=None)
"""Who is signed in by a session in the current request; empty for nobody, ``None`` outside of a request."""


class _Record(msgspec.Struct, frozen=True):
    user: str
    key: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Session:
    """A token that is valid.

    Attributes:
        digest: of the token.
        principal: whom it stands for.
        key_id: the API key that it was made with; once that is not valid, the token is not either.
        expires_at: Unix seconds.
        version: of its document.
        is_renewed: whether its expiry was just put off.
    """

    digest: str
    principal: Principal
    key_id: str
    expires_at: float
    version: int
    is_renewed: bool = False


class Sessions:
    """The sessions of a service. Safe for threads; each method may wait for the store, and raises what that raises."""

    def __init__(self, documents: Callable[[], DocumentStore], keys: KeyStore, clock: Clock, *, seconds: float) -> None:
        """Tokens are valid for ``seconds``; one that is used in the second half of that is renewed."""
        self._documents = documents
        self._keys = keys
        self._clock = clock
        self._seconds = seconds
        self._found: TTLCache[str, Session] = TTLCache(_KNOWN, ttl=_TRUSTED_FOR, timer=clock.monotonic)
        self._lock = threading.Lock()
        self._is_declared = False
        self._sweeps_at = clock.monotonic()

    def open(self, key: ApiKey) -> tuple[str, Session]:
        """A new token for the user of an API key, and its session."""
        token = secrets.token_urlsafe(_TOKEN_SIZE)
        record = _Record(key.user, key.id, self._clock.now() + self._seconds)
        if not self._is_declared:
            self._documents().declare(COLLECTION, keep=1)
            self._is_declared = True
        digest = _digest(token)
        self._save(digest, record, expect=0)
        if self._clock.monotonic() >= self._sweeps_at:
            self._sweeps_at = self._clock.monotonic() + _SWEEP_EVERY
            self.sweep()
        return token, _session(digest, record, key, 1)

    def find(self, token: str) -> Session | None:
        """The session of a token; ``None`` if nobody was given this token, or it has ended."""
        if len(token) != _TOKEN_LENGTH or not token.isascii():
            return None
        digest = _digest(token)
        with self._lock:
            known = self._found.get(digest)
        if known is None:
            known = self._read(digest)
            if known is None:
                return None
            with self._lock:
                self._found[digest] = replace(known, is_renewed=False)
        return known if self.is_valid(known) else None

    def is_valid(self, session: Session) -> bool:
        """Whether a session that was found has not expired since, nor was its key revoked. It does not wait."""
        return (
            self._clock.now() < session.expires_at and self._key_of(session.key_id, session.principal.name) is not None
        )

    def left(self, session: Session) -> float:
        """Seconds until a session expires."""
        return max(0.0, session.expires_at - self._clock.now())

    def end(self, session: Session) -> None:
        """Makes a token invalid."""
        with self._lock:
            self._found.pop(session.digest, None)
        store, version = self._documents(), session.version
        while True:
            try:
                store.save(COLLECTION, session.digest, None, expect=version, author=session.principal.name)
            except Conflict as conflict:  # it was renewed meanwhile
                version = conflict.expected
            else:
                return

    def sweep(self) -> int:
        """Removes the tokens that have ended or expired from the store; returns how many."""
        store = self._documents()
        ended = [
            (each.metadata.key, each.metadata.version)
            for each in store.documents(COLLECTION, deleted=True)
            if each.payload is None or msgspec.json.decode(each.payload, type=_Record).expires_at <= self._clock.now()
        ]
        return sum(store.forget(COLLECTION, digest, version=version) for digest, version in ended)

    def _read(self, digest: str) -> Session | None:
        found = self._documents().get(COLLECTION, digest)
        if found is None or found.payload is None:
            return None
        record = msgspec.json.decode(found.payload, type=_Record)
        key = self._key_of(record.key, record.user)
        if key is None:
            self._keys.look()  # it may be new
            key = self._key_of(record.key, record.user)
        left = record.expires_at - self._clock.now()
        if key is None or left <= 0:
            return None
        session = _session(digest, record, key, found.metadata.version)
        return session if left > self._seconds / 2 else self._renewed(session, record, key)

    def _renewed(self, session: Session, record: _Record, key: ApiKey) -> Session:
        later = _Record(record.user, record.key, self._clock.now() + self._seconds)
        try:
            self._save(session.digest, later, expect=session.version)
        except Conflict:  # another request was faster, or it was ended: the next look tells
            return session
        return replace(_session(session.digest, later, key, session.version + 1), is_renewed=True)

    def _save(self, digest: str, record: _Record, *, expect: int) -> None:
        payload = msgspec.json.encode(record)
        self._documents().save(COLLECTION, digest, payload, expect=expect, author=record.user)

    def _key_of(self, key_id: str, user: str) -> ApiKey | None:
        """The key that a session was made with, while it is valid."""
        key = self._keys.current().get(key_id)
        return key if key is not None and key.user == user and key.state(self._clock.now()) == "valid" else None


def _session(digest: str, record: _Record, key: ApiKey, version: int) -> Session:
    return Session(digest, Principal(key.user, "session", key.permissions), key.id, record.expires_at, version)


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()
