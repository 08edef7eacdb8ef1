"""One call on its way through the engine, and its operation as one runtime sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from rave_core.arguments.binder import Binder
from rave_core.engine.context import DeepRefresh, ExecutionContext
from rave_core.engine.effects import Blocking
from rave_core.expiry import Strategy
from rave_core.model import Call, Key, OperationSpec, Options
from rave_core.storage.cache import Cache, Found
from rave_core.storage.leases import Lease, Leases
from rave_core.telemetry.statistics import Record
from rave_core.versions.version import Version


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedOperation:
    """One operation as one runtime sees it: its name, its version, where its results go and for how long.

    Attributes:
        record: the operation's statistics.
        leases: of the store that keeps its results; ``None`` where that has none.
        strategy: when a result expires.
        version: which code makes the results.
    """

    spec: OperationSpec
    name: str
    binder: Binder
    cache: Cache
    leases: Leases | None
    strategy: Strategy
    record: Record
    version: Version
    plugin: str

    @property
    def version_note(self) -> str:
        """What decided the version, as entries record it."""
        return self.version.note


@dataclass(frozen=True, slots=True, eq=False)
class Execution:
    """One call on its way: what every stretch of the path needs to know.

    Attributes:
        is_plain: without options and outside of a deep refresh, so that it must not run: `must_run` need not be asked.
    """

    resolved: ResolvedOperation
    call: Call
    key: Key
    options: Options
    context: ExecutionContext
    deep: DeepRefresh | None
    is_plain: bool

    @property
    def must_run(self) -> bool:
        """Whether what is kept does not count: a refresh was asked, here or by a caller's deep refresh."""
        if self.options.refresh or self.options.deep_refresh:
            return True
        return self.deep is not None and self.key.text not in self.deep.done

    def do(self, function: Callable[..., Any], *args: Any) -> Blocking:
        """A step that may wait for the store of this operation."""
        return Blocking(self.resolved.cache.blocking, function, args)


@dataclass(frozen=True, slots=True)
class Failure:
    """A path's end at an operation's own exception. (Raised inside a generator, a StopIteration would be lost.)"""

    error: Exception
    traceback: TracebackType | None


@dataclass(frozen=True, slots=True)
class Claim:
    """What an attempt to claim a key gave: the lease, or what another process put meanwhile, or neither.

    Attributes:
        is_settled: whether to go on; if not, another process holds the lease. Neither, and settled: the store is in
            trouble, and the body runs without a lease.
    """

    lease: Lease | None
    found: Found | None
    is_settled: bool
