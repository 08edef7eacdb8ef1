"""Where the bytes of a product go while they come: into memory, a stream, or a part file."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Final

from rave_http.client.errors import ClientError

_AT_ONCE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What the service says about the bytes to come.

    Attributes:
        url: the final one, after redirects.
        etag: the strong validator; empty without one: an interrupted download then starts over.
        media_type: with its parameters.
        total: bytes of the whole; ``None`` if unknown.
    """

    url: str = ""
    etag: str = ""
    media_type: str = ""
    total: int | None = None


class Sink(ABC):
    """Takes the bytes of one product, in order.

    Attributes:
        size: bytes that it holds.
        facts: those about the bytes.
    """

    size: int = 0
    facts: Facts = Facts()

    @property
    def can_go_on(self) -> bool:
        """Whether it holds bytes to resume from: a validator lets the service check that the product is the same."""
        return self.size > 0 and bool(self.facts.etag)

    def begin(self, facts: Facts) -> None:
        """Starts from nothing; what it held is forgotten."""
        self.forget()
        self.facts = facts

    @abstractmethod
    def forget(self) -> None:
        """Forgets what it holds."""

    @abstractmethod
    def write(self, part: bytes) -> None:
        """Takes the next bytes."""

    def digest(self, algorithm: str) -> bytes | None:
        """The digest of all bytes taken; ``None`` if it is no longer known."""
        return None


class MemorySink(Sink):
    """Keeps everything in memory."""

    def __init__(self) -> None:
        self.content = bytearray()

    def forget(self) -> None:
        """See ``Sink``."""
        self.content.clear()
        self.size, self.facts = 0, Facts()

    def write(self, part: bytes) -> None:
        """See ``Sink``."""
        self.content += part
        self.size += len(part)

    def digest(self, algorithm: str) -> bytes:
        """See ``Sink``."""
        return hashlib.new(algorithm, self.content).digest()


class StreamSink(Sink):
    """Passes everything on, as to a pipe: it can't take anything back."""

    def __init__(self, stream: IO[bytes], *, check: Callable[[Facts], object] | None = None) -> None:
        """Writes to ``stream``; ``check`` sees what will come before any of it, and may refuse it by raising."""
        self._stream = stream
        self._check = check

    def begin(self, facts: Facts) -> None:
        """See ``Sink``."""
        if self._check is not None:
            self._check(facts)
        super().begin(facts)

    def forget(self) -> None:
        """See ``Sink``.

        Raises:
            ClientError: some bytes are already passed on.
        """
        if self.size:
            raise ClientError(f"the product changed, or can't be continued, after {self.size} bytes of it were written")
        self.facts = Facts()

    def write(self, part: bytes) -> None:
        """See ``Sink``."""
        self._stream.write(part)
        self.size += len(part)


def digest_of(file: IO[bytes], algorithm: str) -> bytes:
    """The digest of a file's bytes from its current position."""
    found = hashlib.new(algorithm)
    while part := file.read(_AT_ONCE):
        found.update(part)
    return found.digest()
