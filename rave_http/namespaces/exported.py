"""What the namespaces of a worker export at one moment, found by any of its names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rave_core.model import quote_operation
from rave_core.operations.catalog import Catalog
from rave_core.operations.operation import Operation
from rave_core.runtime.runtime import Runtime

if TYPE_CHECKING:
    from rave_core.engine.execution import ResolvedOperation


@dataclass(frozen=True, slots=True, eq=False)
class ExportedOperation:
    """An operation that the service offers.

    Attributes:
        name: ``namespace/operation``.
        namespace: the first part of it.
        resolved: the resolved operation of the worker's runtime.
        generation: of the namespaces when it was looked up; it grows with every change that is taken.
    """

    name: str
    namespace: str
    operation: Operation[..., Any]
    resolved: ResolvedOperation
    generation: int


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
    def of(cls, catalog: Catalog, runtime: Runtime, *, generation: int, earlier: Exports | None = None) -> Exports:
        """The operations of ``catalog``, as ``runtime`` sees them.

        Operations that ``earlier`` has already stay resolved as they are there, although code that they reach may have
        changed: to look at all code again takes seconds, so the caller does that next, without ``earlier``.

        Raises:
            ConfigurationError: an operation names an unknown strategy, version or converter.
        """
        by_name: dict[str, ExportedOperation] = {}
        by_full_name: dict[str, ExportedOperation] = {}
        by_quoted_name: dict[str, list[ExportedOperation]] = {}
        for name, operation in catalog:
            known = earlier.by_name.get(name) if earlier is not None else None
            is_new = known is None or known.operation is not operation
            resolved = operation.resolved_in(runtime) if known is None or is_new else known.resolved
            exported = ExportedOperation(name, name.partition("/")[0], operation, resolved, generation)
            by_name[name] = exported
            by_quoted_name.setdefault(quote_operation(resolved.name), []).append(exported)
            if resolved.name == name or resolved.name not in by_full_name:
                by_full_name[resolved.name] = exported
        return cls(catalog, generation, by_name, by_full_name, by_quoted_name)
