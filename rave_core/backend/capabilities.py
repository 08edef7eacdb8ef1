"""What a backend can do beyond keeping frames, each as a protocol; and the values that a memory tier holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

from rave_core.backend.holdings import Holding, Outline, Purged
from rave_core.model import Bytes, Entry, MemoryRef


class Located(NamedTuple):
    """What one look-up found under a key.

    Attributes:
        frame: the frame, or ``None`` if nothing is kept.
        ref: the place of the decoded value, if memory holds it.
        origin: the store's own note of where and when the frame was found, for `SupportsValues.hold_value`.
    """

    frame: Bytes | None = None
    ref: MemoryRef | None = None
    origin: object = None


@runtime_checkable
class SupportsValues(Protocol):
    """A store with a memory tier that keeps decoded, immutable values beside their frames."""

    def get_value(self, key: str) -> Located:
        """What is kept under ``key``, with one look-up in memory."""

    def hold_value(self, key: str, located: Located, value: object, entry: Entry) -> MemoryRef | None:
        """Keeps the decoded ``value`` of a located frame in memory, beside that frame.

        ``None`` if there is no room for both, or if the key has changed since the look-up.
        """

    def hold_frame(self, key: str, located: Located) -> None:
        """Keeps a located frame in memory without its value, unless the key has changed since the look-up."""

    def put_value(self, key: str, frame: Sequence[Bytes], value: object, entry: Entry) -> MemoryRef | None:
        """Keeps ``frame`` as ``Backend.put`` does, with its value in memory; ``None`` if memory has no room."""


@runtime_checkable
class SupportsPeek(Protocol):
    """A store with a memory tier that answers without waiting for anything."""

    def peek(self, key: str) -> Bytes | None:
        """The frame that memory holds under ``key``, the same object until another takes its place; or ``None``."""

    def drop(self, prefix: str) -> None:
        """Forgets what memory holds under keys that start with ``prefix``; a store below it keeps what it has."""


@runtime_checkable
class SupportsFiles(Protocol):
    """A store that keeps products as ordinary files, with their frames (headers without payload) beside them."""

    def draft(self, suffix: str) -> Path:
        """A new path that ends in ``suffix``, in a directory of its own, from which ``commit`` can move it."""

    def commit(self, key: str, draft: Path, name: str, frame: Sequence[Bytes]) -> Path:
        """Moves ``draft`` to the place of ``key`` under ``name``, then puts ``frame``, which makes it count."""

    def locate(self, key: str, name: str) -> Path:
        """The path of the product ``name`` of ``key``, whether it exists or not."""

    def fetch(self, key: str, name: str) -> Path:
        """As ``locate``, once the product is there: a store that keeps its products elsewhere fetches a copy.

        Raises:
            FileNotFoundError: there is no such product.
        """

    def discard(self, draft: Path) -> None:
        """Removes a draft and its directory. No error when it is gone."""


@runtime_checkable
class SupportsUnpacking(Protocol):
    """A store of files with a place, which nobody else can change, for unpacked copies of archives."""

    def unpacked(self, key: str, name: str) -> Path:
        """Where the copy of the product ``name`` of ``key`` lies, whether it exists or not. Asking counts as a use."""

    def keep_unpacked(self, key: str, draft: Path, name: str) -> Path:
        """Moves ``draft``, a directory at a path from `SupportsFiles.draft`, to that place; it replaces what is there.

        A copy goes with its product, or sooner if it is not used.
        """


@runtime_checkable
class SupportsObjects(Protocol):
    """A store elsewhere that keeps products as objects, with their frames beside them; in layers, below files."""

    def upload(self, key: str, product: Path, name: str, frame: Sequence[Bytes]) -> None:
        """Keeps the file ``product``'s content as ``name`` of ``key``, then puts ``frame``, which makes it count."""

    def download(self, key: str, name: str, path: Path) -> None:
        """Writes the product ``name`` of ``key`` to the new file ``path``.

        Raises:
            FileNotFoundError: there is no such product.
        """


@runtime_checkable
class SupportsUrl(Protocol):
    """A store that can let anybody fetch its products directly."""

    def url(self, key: str, name: str, *, seconds: float) -> str:
        """A URL from which anyone can GET the product ``name`` of ``key`` for ``seconds``. Nothing is looked up.

        It is a secret for as long as it is valid.
        """


@runtime_checkable
class SupportsAging(Protocol):
    """A tier in which entries count for a limited time; then the layers below are asked again.

    An entry over that age counts as absent in all other methods.
    """

    @property
    def max_age(self) -> float | None:
        """Seconds for which an entry counts after it was put here; ``None`` for as long as it is kept."""

    def aged(self, key: str) -> Bytes | None:
        """The frame under ``key`` at any age, for use when the layers below fail; or ``None``."""


@runtime_checkable
class SupportsConditionalPut(Protocol):
    """A store that can look at what it has and replace it in one step."""

    def put_unless(self, key: str, frame: Sequence[Bytes], is_better: Callable[[Bytes], bool]) -> bool:
        """Keeps ``frame`` as ``Backend.put`` does, unless the frame under ``key`` is better; returns whether it did.

        Nobody else's frame takes its place between ``is_better`` and the put: the store asks again about that one.
        """


@runtime_checkable
class SupportsLease(Protocol):
    """A store in which one of many processes can claim a key. Records are small and opaque to the store."""

    def claim(self, key: str, record: bytes) -> bool:
        """Puts ``record`` as the lease of ``key`` if there is none: exactly one of many claimants gets ``True``."""

    def lease(self, key: str) -> bytes | None:
        """The record of the lease of ``key``, or ``None`` when nobody holds one."""

    def swap_lease(self, key: str, seen: bytes, record: bytes | None) -> bool:
        """Replaces the lease's record by ``record`` (``None`` removes it) if it is still ``seen``; returns success."""


@runtime_checkable
class SupportsLeaseOwners(Protocol):
    """A store with leases that knows who made each, whatever the record says."""

    def lease_owner(self, key: str) -> str | None:
        """Who holds the lease of ``key``, in words; ``None`` if that is this user, nobody, or not known.

        One owner has the same words for all keys.
        """


@runtime_checkable
class SupportsPurge(Protocol):
    """A store that can clean up beyond deleting keys."""

    def purge(self, is_dead: Callable[[Entry], bool], *, grace: float, seconds: float | None = None) -> Purged:
        """Removes entries for which ``is_dead``, what crashes left behind, and what exceeds the budget.

        Products stay readable for ``grace`` seconds after their entry is gone. After ``seconds`` it may stop, and
        the next purge, by any process, continues from there. Every purge makes some progress.
        """

    def last_purge(self) -> float | None:
        """Unix time of the last purge by any process; ``None`` if there was none, or only this process could know."""


@runtime_checkable
class SupportsStats(Protocol):
    """A store that knows its size without reading every frame."""

    def usage(self) -> tuple[int, int]:
        """Entries, and bytes used."""

    @property
    def max_bytes(self) -> int | None:
        """The byte budget, or ``None`` when there is none."""


@runtime_checkable
class SupportsHoldings(Protocol):
    """A store that knows what each operation keeps without reading every header."""

    def holdings(self) -> Iterator[Holding]:
        """What is kept of each operation and version, in no order; add up several items of the same one."""

    def outlines(self, prefix: str = "") -> Iterator[Outline]:
        """Each entry whose key starts with ``prefix``, in no order, also those that can't be read."""


@runtime_checkable
class SupportsPins(Protocol):
    """A store with a budget, from which some entries can be exempt."""

    def pins(self) -> list[str]:
        """The beginnings of keys of which nothing is evicted, in order."""

    def pin(self, prefix: str) -> None:
        """Keys that start with ``prefix`` are not evicted from now on, by any process; they still expire."""

    def unpin(self, prefix: str) -> bool:
        """Removes a pin; returns whether it existed."""
