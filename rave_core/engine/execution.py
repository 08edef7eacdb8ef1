"""One call in the engine, and its operation resolved for one runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from msgspec import Struct

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
    """An operation resolved for one runtime: its name, its version, where its results go and for how long.

    Attributes:
        record: the operation's statistics.
        leases: of the store that keeps its results; ``None`` if that store has none.
        strategy: when a result expires.
        version: identifies the code that makes the results.
        argument_nodes: what counts of the code in the arguments of a call, by label; see `Closure`.
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
    argument_nodes: Callable[[Call], Mapping[str, str]]

    @property
    def version_note(self) -> str:
        """What decided the version, as entries record it."""
        return self.version.note


class Execution(Struct, frozen=True, eq=False):
    """One call in the engine: what every part of the path needs to know.

    Attributes:
        is_plain: whether the call has no options and is outside of a deep refresh, so `must_run` need not be asked.
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
        """Whether kept results don't count, because the call or a caller's deep refresh asks for a refresh."""
        if self.options.refresh or self.options.deep_refresh:
            return True
        return self.deep is not None and self.key.text not in self.deep.done

    def do(self, function: Callable[..., Any], *args: Any) -> Blocking:
        """A step that may wait for the store of this operation."""
        return Blocking(self.resolved.cache.blocking, function, args)


class Failure(Struct, frozen=True):
    """Ends a path with the operation's own exception. (A StopIteration raised inside a generator would be lost.)"""

    error: Exception
    traceback: TracebackType | None


class Claim(Struct, frozen=True):
    """The result of an attempt to claim a key: the lease, or the entry that another process has put, or neither.

    Attributes:
        is_settled: whether to go on; if not, another process holds the lease. If it is settled with neither, the
            store is in trouble and the body runs without a lease.
    """

    lease: Lease | None
    found: Found | None
    is_settled: bool
