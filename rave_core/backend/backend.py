"""What a cache backend is: a place for frames, by the text of their keys."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, TypeAlias, TypeVar

from rave_core.backend.url import StoreURL
from rave_core.model import Bytes

T = TypeVar("T")


class Backend(ABC):
    """Keeps frames by key. Safe for many threads at once; other processes may use the same store.

    Every method may raise ``OSError`` or ``BackendError`` for trouble in the store: the engine then does
    without. A backend never defines ``__len__`` or ``__bool__``: an empty one would count as absent.
    """

    blocking: ClassVar[bool] = True
    """Whether a call may wait for a disk or a network, so that no event loop may make it itself."""

    remote: ClassVar[bool] = False
    """Whether calls go over a network, so that one in trouble is best left alone for a while."""

    def capability(self, kind: type[T]) -> T | None:
        """What the store can do beyond frames: an object with the methods of ``kind``, a ``Supports…`` protocol.

        ``None`` where it can't. A backend that has the methods itself need not override this.
        """
        return self if isinstance(self, kind) else None

    @abstractmethod
    def get(self, key: str) -> Bytes | None:
        """The frame kept under ``key``, whole, or ``None``. A ``bytearray`` is the caller's to change."""

    @abstractmethod
    def put(self, key: str, frame: Sequence[Bytes]) -> None:
        """Keeps ``frame``, given in pieces, in place of what was there. A reader sees the old or the new, whole."""

    @abstractmethod
    def delete(self, key: str) -> bool:
        """Forgets ``key``; whether there was anything. What is already being read stays readable."""

    @abstractmethod
    def keys(self, prefix: str = "") -> Iterator[str]:
        """The keys that start with ``prefix``, in no order. What comes or goes meanwhile may show or not."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of what the backend holds open. May be called twice."""

    def head(self, key: str, size: int) -> Bytes | None:
        """The first ``size`` bytes of the frame under ``key`` (fewer if it is shorter), or ``None``."""
        frame = self.get(key)
        return None if frame is None else frame[:size]

    def set_aside(self, key: str) -> None:
        """Takes a damaged frame out of the way; a backend that can keeps it for a look."""
        self.delete(key)

    def secret(self) -> bytes | None:
        """The sealing key of a store that only its owner can read and write; ``None`` for a shared one."""
        return None

    def check(self) -> str | None:
        """What is wrong with the store right now, in words for ``rave doctor``; ``None`` when nothing is."""
        return None

    def notice(self) -> str | None:
        """What the store, which works, lacks or does less well than it might, in words; ``None`` when nothing."""
        return None


BackendFactory: TypeAlias = Callable[[StoreURL], Backend]
