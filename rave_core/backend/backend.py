"""The cache backend: it stores frames under the text of their keys."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, TypeAlias, TypeVar

from rave_core.backend.url import StoreURL
from rave_core.model import Bytes

T = TypeVar("T")


class Backend(ABC):
    """Keeps frames by key. Safe for many threads at once; other processes may use the same store.

    Every method may raise ``OSError`` or ``BackendError`` for trouble in the store: the engine then goes on
    without it. A backend never defines ``__len__`` or ``__bool__``: an empty one would count as absent.
    """

    blocking: ClassVar[bool] = True
    """Whether a call may wait for a disk or a network, so that an event loop must not make it directly."""

    remote: ClassVar[bool] = False
    """Whether calls go over a network, so that a backend in trouble is best avoided for a while."""

    def capability(self, kind: type[T]) -> T | None:
        """What the store can do beyond frames: an object with the methods of ``kind``, a ``Supports…`` protocol.

        ``None`` if it can't. A backend that has the methods itself need not override this.
        """
        return self if isinstance(self, kind) else None

    @abstractmethod
    def get(self, key: str) -> Bytes | None:
        """The frame kept under ``key``, whole, or ``None``. The caller may change a ``bytearray``."""

    @abstractmethod
    def put(self, key: str, frame: Sequence[Bytes]) -> None:
        """Keeps ``frame``, given in pieces, and replaces the old one. A reader sees the old or the new one, whole."""

    @abstractmethod
    def delete(self, key: str) -> bool:
        """Forgets ``key``; returns whether there was anything. A frame that is being read stays readable."""

    @abstractmethod
    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that start with ``prefix``, in no order. Concurrent changes may or may not show."""

    @abstractmethod
    def close(self) -> None:
        """Closes what the backend holds open. It may be called twice."""

    def head(self, key: str, size: int) -> Bytes | None:
        """The first ``size`` bytes of the frame under ``key`` (fewer if it is shorter), or ``None``."""
        frame = self.get(key)
        return None if frame is None else frame[:size]

    def set_aside(self, key: str) -> None:
        """Moves a damaged frame out of the way; a backend that can keeps it for inspection."""
        self.delete(key)

    def secret(self) -> bytes | None:
        """The sealing key of a store that only its owner can read and write; ``None`` for a shared one."""
        return None

    def check(self) -> str | None:
        """What is wrong with the store right now, in words for ``rave doctor``; ``None`` when nothing is."""
        return None

    def notice(self) -> str | None:
        """What a working store lacks or could do better, in words; ``None`` when there is nothing."""
        return None


BackendFactory: TypeAlias = Callable[[StoreURL], Backend]
