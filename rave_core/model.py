"""The frozen values that all packages share: specifications, calls, keys, entries and outcomes."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache
from hashlib import blake2b
from os import PathLike
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar
from urllib.parse import quote, unquote

from msgspec import Struct
from msgspec.structs import force_setattr

from rave_core.functions.page_hints import PageHints

__all__ = [
    "FOREVER",
    "Bytes",
    "Call",
    "Entry",
    "Key",
    "Kind",
    "OperationSpec",
    "Options",
    "Outcome",
    "Progress",
    "Status",
    "quote_operation",
]

if TYPE_CHECKING:
    from rave_core.typemap import FittedTypeMap

T = TypeVar("T")
Bytes: TypeAlias = bytes | bytearray | memoryview

FOREVER = math.inf
"""The ``expires_at`` of what never expires."""


class Kind(StrEnum):
    """What an operation makes: a value, a file, or a directory."""

    DATA = "data"
    FILE = "file"
    DIRECTORY = "directory"

    @property
    def is_written(self) -> bool:
        """Whether the body writes its result to a path that it is given."""
        return self is not Kind.DATA


class Status(StrEnum):
    """How a call is answered."""

    HIT = "hit"
    MISS = "miss"
    REFRESHED = "refreshed"
    STALE = "stale"
    UNCACHED = "uncached"


class Key(Struct, frozen=True):
    """The name of one result: operation, version of its code, and its arguments.

    ``text`` is the key's one readable form, alike for a file path, an object name and a URL: the quoted operation, the
    version and the digest of the arguments, joined by ``/``. It sorts and browses by operation.
    """

    operation: str
    version: str
    arguments: str
    text: str = ""

    def __post_init__(self) -> None:
        force_setattr(self, "text", f"{quote_operation(self.operation)}/{self.version}/{self.arguments}")

    @classmethod
    def parse(cls, text: str) -> Key:
        """The key whose ``text`` this is.

        Raises:
            ValueError: ``text`` does not have the three parts of a key.
        """
        operation, version, arguments = (*text.rsplit("/", 2), "", "")[:3]
        if not (operation and version and arguments):
            raise ValueError(f"{text!r} is not a key: expected operation/version/arguments")
        return cls(unquote(operation), version, arguments)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Key(operation={self.operation!r}, version={self.version!r}, arguments={self.arguments!r})"


@lru_cache(maxsize=1024)
def quote_operation(name: str) -> str:
    """``name`` as it stands in the text of a key: safe as a path, an object name and a URL, and reversible.

    No part of it is empty or starts with a dot. A part over 180 bytes is cut and ends in its digest,
    because file systems allow 255; only the beginning of such a name can be read back.
    """
    slash = "" if "" in name.split("/") else "/"
    parts = quote(name, safe=slash + ":@,+=~").split("/")
    return "/".join(_fitting("%2E" + part[1:] if part.startswith(".") else part) for part in parts)


def _fitting(part: str) -> str:
    if len(part) <= 180:
        return part
    return f"{part[:140]}~{blake2b(part.encode(), digest_size=16).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a computation is.

    Attributes:
        done, total: in units that the operation chooses; ``total`` is ``None`` while unknown.
        text: what is being done, for people.
    """

    done: float
    total: float | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """How to answer one call; not part of the key.

    Attributes:
        refresh: compute this operation even if a result is stored.
        deep_refresh: compute it and every operation that it calls, however deep, each once.
        dry_run: give the stored result or ``None``; never run the body.
        tofile: for a file operation: write exactly here, return it, keep nothing.
        timeout: seconds that the caller waits, or ``"2m"``; ``None`` for ever. A late result is stored, not returned.
    """

    refresh: bool = False
    deep_refresh: bool = False
    dry_run: bool = False
    tofile: str | PathLike[str] | None = None
    timeout: str | float | None = None


PLAIN = Options()
"""The options of an ordinary call."""


class Code(Struct, frozen=True):
    """An operation's code as it was loaded.

    Attributes:
        path: the defining file, or ``None`` at a prompt or in a notebook.
        digest: of the file's content; of the compiled function where there is no file.
        mtime_ns: of the file, 0 if there is none.
    """

    path: str | None
    digest: bytes
    mtime_ns: int


NO_CODE = Code(None, b"", 0)
"""The code of a specification that was not made from a function."""


@dataclass(frozen=True)
class OperationSpec:
    """What is known about an operation before it is called.

    Attributes:
        name: as given by ``name=``, else ``module:qualname``; the namespace's name is applied later.
        fixed_name: whether ``name=`` was given, so that nothing may change it.
        parameters: the caller's parameters (for a file operation without the output path), in order.
        output_at: where among the function's positional arguments the output path of a file operation goes.
        version, expires: the notes of ``@version`` and ``@expires`` (or the name of a strategy); ``None`` for none.
        stale_while_revalidate, stale_if_error: seconds after expiry, 0 for never.
        ignore: names of parameters that are no part of the key.
        behind: the export of the same namespace whose result this one shows; ``None`` for none.
        time_range: the parameters for start, end and maybe width of a bin of a span of time; ``None`` for none.
        hints: what its author says for pages.
        annotations: the decorators' values by name, for decorating the function again elsewhere.
    """

    name: str
    function: Callable[..., Any]
    kind: Kind
    parameters: tuple[inspect.Parameter, ...]
    output_at: int = 0
    fixed_name: bool = False
    is_async: bool = False
    typemap: FittedTypeMap | None = None
    version: object = None
    expires: Callable[..., float] | str | None = None
    mime_type: str = "application/octet-stream"
    tags: tuple[str, ...] = ()
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0
    ignore: frozenset[str] = frozenset()
    behind: str | None = None
    time_range: tuple[str, ...] | None = None
    hints: PageHints = field(default_factory=PageHints, compare=False)
    code: Code = NO_CODE
    annotations: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def signature(self) -> inspect.Signature:
        """The caller's signature: without the output path of a file operation."""
        return inspect.Signature(self.parameters)

    @property
    def usage(self) -> str:
        """The signature for people: names and defaults, without types, which the typemap knows better."""
        return str(inspect.Signature([p.replace(annotation=p.empty) for p in self.parameters]))

    @property
    def doc(self) -> str:
        """The function's docstring, cleaned, or the empty string."""
        return inspect.getdoc(self.function) or ""


class Call(Struct, eq=False):
    """One operation asked with converted arguments.

    Attributes:
        key: ``None`` when an argument has no canonical encoding: the call then runs uncached.
        args, kwargs: the body's arguments, converted and with defaults.
        ref: the place in a memory tier where the answer was last seen, or ``None``.
    """

    spec: OperationSpec
    key: Key | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    named: Mapping[str, Any]
    ref: MemoryRef | None = None


class Entry(Struct, frozen=True, kw_only=True):
    """What is recorded with a stored result, readable without its payload.

    Attributes:
        key: the text of the key.
        arguments: parameter name to a short readable form; empty if recording is switched off.
        created_at, expires_at: Unix seconds; ``expires_at`` is ``math.inf`` for never.
        seconds: how long computing took.
        codec: the name of the codec of the payload; ``file`` or ``directory`` for a product.
        sizes: bytes of each payload segment; of a product, the one size of its file, or of a directory's archive.
        digest: of the payload or the product, with the name of its algorithm; see `rave_core.storage.digests`.
        children: texts of the keys this result was computed from, in the order first asked.
        product: the file name of a product, relative to the place of its key; ``None`` for a value.
        stale_while_revalidate, stale_if_error: seconds after ``expires_at``.
        executable: whether the owner of a product that is a file may execute it.
        packages: the installed packages that the operation's code reached, as far as it was followed: name to release.
    """

    key: str
    created_at: float
    expires_at: float
    codec: str
    digest: str
    sizes: tuple[int, ...] = ()
    seconds: float = 0.0
    arguments: dict[str, str] = {}
    mime_type: str = "application/octet-stream"
    children: tuple[str, ...] = ()
    product: str | None = None
    tags: tuple[str, ...] = ()
    stale_while_revalidate: float = 0.0
    stale_if_error: float = 0.0
    python: str = ""
    plugin: str = ""
    version_note: str = ""
    executable: bool = False
    packages: Mapping[str, str] = {}

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        return sum(self.sizes)

    def is_fresh(self, now: float) -> bool:
        """Whether the result is still valid at Unix time ``now``."""
        return now < self.expires_at


@dataclass(slots=True, eq=False, weakref_slot=True)
class MemoryRef:
    """The place of one decoded, immutable value in a memory tier.

    Its holder may read ``value`` without asking the tier again: when the tier drops or replaces the value, it
    sets ``value`` to ``EVICTED``. Read ``value`` once, then compare.
    """

    value: object
    entry: Entry
    expires_at: float
    seconds: float
    used: bool = False


class _Gone:
    def __repr__(self) -> str:
        return "EVICTED"


EVICTED: Any = _Gone()
"""Replaces ``MemoryRef.value`` once the tier has dropped the value."""


class Outcome(Struct, Generic[T], frozen=True):
    """The answer to a call, and how it came about.

    Attributes:
        value: what the call returns; ``None`` for a dry run that found nothing.
        status: one of ``hit miss refreshed stale uncached``.
        key: ``None`` if the call has none.
        entry: what is recorded of the result, or ``None`` if nothing is stored.
    """

    value: T
    status: Status
    key: Key | None = None
    entry: Entry | None = None

    @property
    def is_hit(self) -> bool:
        """Whether a stored result answered the call, fresh or stale, so that no body ran for it."""
        return self.status in (Status.HIT, Status.STALE)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook shows: how the answer came about, and the value."""
        from rave_core.clock import SystemClock
        from rave_core.text.displays import bundle, told

        if (entry := self.entry) is None:
            return bundle(f"{self.status} · nothing is stored", self.value)
        now = SystemClock().now()
        line = told(self.status, age=now - entry.created_at, left=entry.expires_at - now, seconds=entry.seconds)
        return bundle(line, self.value, mime_type=entry.mime_type, is_file=entry.product is not None)
