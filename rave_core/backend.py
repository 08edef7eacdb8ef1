"""What a cache backend is: a place for frames, by the text of their keys.

A backend stores bytes and knows nothing of values, freshness or seals. What it can do beyond that it
says by having the methods of one of the ``Supports…`` protocols; the core asks once, when it opens the backend.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar, runtime_checkable
from urllib.parse import parse_qsl, unquote, urlsplit

from rave_core.durations import parse_duration
from rave_core.errors import ConfigurationError, nearest
from rave_core.model import Bytes, Entry

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


class Held:
    """The place of one decoded, immutable value in a memory tier.

    Whoever holds it may read ``value`` without asking the tier again: when the tier drops or replaces the
    value, it sets it to ``GONE``. Read ``value`` once, then compare.
    """

    __slots__ = ("entry", "expires_at", "seconds", "used", "value")

    def __init__(self, value: object, entry: Entry) -> None:
        self.value = value
        self.entry = entry
        self.expires_at = entry.expires_at
        self.seconds = entry.seconds
        self.used = False


class _Gone:
    def __repr__(self) -> str:
        return "GONE"


GONE: Any = _Gone()
"""Stands in ``Held.value`` once the tier has let go of the value."""


@runtime_checkable
class SupportsValues(Protocol):
    """A memory tier that can keep decoded, immutable values beside their frames."""

    def held(self, key: str) -> Held | None:
        """The value kept under ``key``, or ``None``."""

    def hold(self, key: str, value: object, entry: Entry) -> Held | None:
        """Keeps ``value`` beside the frame of ``key``; ``None`` where there is no such frame (any more)."""


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
        """Where the product ``name`` of ``key`` lies, whether it exists or not."""

    def fetch(self, key: str, name: str) -> Path:
        """As ``locate``, once it is there: a store whose products lie elsewhere brings a copy.

        Raises:
            FileNotFoundError: there is no such product.
        """

    def discard(self, draft: Path) -> None:
        """Removes a draft and its directory. No error when it is gone."""


@runtime_checkable
class SupportsObjects(Protocol):
    """A store elsewhere that keeps products as objects, with their frames beside them; in layers, below files."""

    def upload(self, key: str, product: Path, name: str, frame: Sequence[Bytes]) -> None:
        """Keeps the content of the file ``product`` as ``name`` of ``key``, then puts ``frame``: it makes it count."""

    def download(self, key: str, name: str, path: Path) -> None:
        """Writes the product ``name`` of ``key`` to the new file ``path``.

        Raises:
            FileNotFoundError: there is no such product.
        """


@runtime_checkable
class SupportsUrl(Protocol):
    """A store whose products anybody can be let get from the store itself."""

    def url(self, key: str, name: str, *, seconds: float) -> str:
        """A URL by which whoever has it can GET the product ``name`` of ``key`` for ``seconds``. Nothing is looked up.

        It is a secret for as long as it is good.
        """


@runtime_checkable
class SupportsAging(Protocol):
    """A tier in which entries count for a time only, after which the layers below are asked again.

    What is over that age counts as absent in all other methods.
    """

    @property
    def max_age(self) -> float | None:
        """Seconds for which an entry counts after it was put here; ``None`` for as long as it is kept."""

    def aged(self, key: str) -> Bytes | None:
        """The frame under ``key`` whatever its age, for when nothing below can be asked; or ``None``."""


@runtime_checkable
class SupportsLease(Protocol):
    """A store in which one of many processes can claim a key. Records are small and opaque to the store."""

    def claim(self, key: str, record: bytes) -> bool:
        """Puts ``record`` as the lease of ``key`` if there is none: exactly one of many claimants gets ``True``."""

    def lease(self, key: str) -> bytes | None:
        """The record of the lease of ``key``, or ``None`` when nobody holds one."""

    def swap_lease(self, key: str, seen: bytes, record: bytes | None) -> bool:
        """Replaces the lease's record by ``record`` (``None`` removes it) if it is still ``seen``; whether it did."""


@runtime_checkable
class SupportsPurge(Protocol):
    """A store that can be tidied beyond deleting keys."""

    def purge(self, is_dead: Callable[[Entry], bool], *, grace: float) -> Purged:
        """Removes entries for which ``is_dead``, what crashes left behind, and what exceeds the byte budget.

        Products stay readable for ``grace`` seconds after their entry is gone.
        """

    def last_purge(self) -> float | None:
        """Unix time of the last purge by any process; ``None`` where there was none, or nobody else can know."""


@runtime_checkable
class SupportsStats(Protocol):
    """A store that knows its size without reading every frame."""

    def usage(self) -> tuple[int, int]:
        """Entries, and bytes used."""

    @property
    def max_bytes(self) -> int | None:
        """The byte budget, or ``None`` when there is none."""


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge removed."""

    entries: int = 0
    bytes: int = 0
    leftovers: int = 0

    def __add__(self, other: Purged) -> Purged:
        return Purged(self.entries + other.entries, self.bytes + other.bytes, self.leftovers + other.leftovers)


class StoreURL:
    """A backend's URL, taken apart. A factory takes the options it knows, then calls ``done``.

    Attributes:
        text: the URL as it was written, without credentials, for messages.
        scheme, host: lower case scheme; host with port, without credentials.
        path: unquoted.
    """

    def __init__(self, text: str) -> None:
        try:
            parts = urlsplit(text)
        except ValueError as error:
            raise ConfigurationError(f"backend {_CREDENTIALS.sub('', text)!r} is no URL: {error}") from None
        if not parts.scheme or "://" not in text:
            raise ConfigurationError(f"backend {text!r} is no URL: memory:// or file:///path expected")
        self.scheme = parts.scheme.lower()
        self.host = parts.netloc.rpartition("@")[2]
        self.path = unquote(parts.path)
        self.text = _CREDENTIALS.sub("", text)
        self._credentials = parts.netloc.rpartition("@")[0]
        self._options: dict[str, str] = {}
        self._known: set[str] = set()
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            if name in self._options:
                raise ConfigurationError(f"{self.text}: option {name!r} is given twice")
            self._options[name] = value

    def take(self, name: str, convert: Callable[[str], T], default: T) -> T:
        """The option ``name``, converted; ``default`` where it is absent.

        Raises:
            ConfigurationError: ``convert`` refused it (by ``ValueError`` or ``TypeError``).
        """
        self._known.add(name)
        if name not in self._options:
            return default
        text = self._options.pop(name)
        try:
            return convert(text)
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"{self.text}: option {name}={text!r}: {error}") from error

    def take_credentials(self) -> tuple[str, str]:
        """User and password in front of the host, empty where there are none."""
        user, _, password = self._credentials.partition(":")
        self._credentials = ""
        return unquote(user), unquote(password)

    def done(self) -> None:
        """Refuses what nobody took: options, naming the nearest known one, and credentials.

        Raises:
            ConfigurationError: there is something.
        """
        if self._credentials:
            raise ConfigurationError(
                f"{self.text}: a {self.scheme}:// URL takes no user or password; settings are often shown and shared"
            )
        for name in self._options:
            raise ConfigurationError(f"{self.text}: unknown option {name!r}; {nearest(name, self._known)}")

    def __str__(self) -> str:
        return self.text


_CREDENTIALS = re.compile(r"(?<=://)[^/&]*@")  # of an endpoint among the options, too

BackendFactory: TypeAlias = Callable[[StoreURL], Backend]


_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def parse_size(text: str) -> int:
    """Bytes from ``"256MiB"``, ``"1.5GB"`` or ``"4096"``. Binary units end in ``iB``, decimal ones in ``B``.

    Raises:
        ValueError: not a size.
    """
    number = text.strip().rstrip("bBiIkKmMgGtT ")
    unit = text.strip()[len(number) :].strip().lower()
    try:
        size = float(number) * _UNITS[unit]
        if not 0 < size < 2**63:
            raise ValueError
        return int(size)
    except (ValueError, KeyError):
        raise ValueError(f"{text!r} is not a size; 512, 64KiB, 256MiB or 1GiB expected") from None


def parse_age(text: str) -> float:
    """Seconds from a duration such as ``"5m"``, one at least.

    Raises:
        ValueError: not such a duration.
    """
    seconds = parse_duration(text)
    if not 1 <= seconds < 2**53:
        raise ValueError("a time of 1s or more expected, as in 30s or 5m")
    return seconds


def parse_flag(text: str) -> bool:
    """A yes or no.

    Raises:
        ValueError: neither.
    """
    lowered = text.strip().lower()
    if lowered in ("1", "true", "yes", "on"):
        return True
    if lowered in ("0", "false", "no", "off"):
        return False
    raise ValueError(f"{text!r} is not a yes or no; true or false expected")
