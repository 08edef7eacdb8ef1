"""What the namespaces of a worker export at one moment, found by any of its names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rave_core.model import quote_operation
from rave_core.operations.catalog import Catalog
from rave_core.operations.operation import Operation
from rave_core.runtime.runtime import Runtime
from rave_core.storage.cache import Cache

if TYPE_CHECKING:
    from rave_core.engine.execution import ResolvedOperation


@dataclass(frozen=True, slots=True, eq=False)
class ExportedOperation:
    """An operation that the service offers.

    Attributes:
        name: ``namespace/operation``.
        namespace: the first part of it.
        full_name: the name in its keys.
        runtime: the worker's.
        generation: of the namespaces when it was looked up; it grows with every change that is taken.
    """

    name: str
    namespace: str
    operation: Operation[..., Any]
    full_name: str
    runtime: Runtime
    generation: int

    @property
    def cache(self) -> Cache:
        """Where its results are stored; found without a look at its code."""
        return self.runtime.container.cache_of(self.operation.spec)

    @property
    def resolved(self) -> ResolvedOperation:
        """The resolved operation, with the version of the code that it reaches now.

        The first request after a change of code waits for that. To look at the code of all operations takes seconds.
        """
        return self.operation.resolved_in(self.runtime)


@dataclass(frozen=True, slots=True)
class Exports:
    """All operations of one catalog. Never changed: a change of code brings new exports.

    Attributes:
        generation: grows with every change that is taken.
        by_name: by ``namespace/operation``.
        by_full_name: by the name in their keys; if an operation has several names, the same one, else the first.
        by_quoted_name: by that name as a key writes it. Several namespaces may export one operation.
    """

    catalog: Catalog
    generation: int
    by_name: Mapping[str, ExportedOperation]
    by_full_name: Mapping[str, ExportedOperation]
    by_quoted_name: Mapping[str, Sequence[ExportedOperation]]

    @classmethod
    def of(cls, catalog: Catalog, runtime: Runtime, *, generation: int) -> Exports:
        """The operations of ``catalog``, as ``runtime`` sees them.

        Raises:
            ConfigurationError: an operation names an unknown strategy, version or converter.
        """
        by_name: dict[str, ExportedOperation] = {}
        by_full_name: dict[str, ExportedOperation] = {}
        by_quoted_name: dict[str, list[ExportedOperation]] = {}
        for name, operation in catalog:
            full_name = runtime.container.check(operation.spec)
            exported = ExportedOperation(name, name.partition("/")[0], operation, full_name, runtime, generation)
            by_name[name] = exported
            by_quoted_name.setdefault(quote_operation(full_name), []).append(exported)
            if full_name == name or full_name not in by_full_name:
                by_full_name[full_name] = exported
        return cls(catalog, generation, by_name, by_full_name, by_quoted_name)
