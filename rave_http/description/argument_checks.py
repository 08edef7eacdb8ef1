"""The arguments of a JSON body, checked against the schema that the description of the operation promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

from rave_core.operations.operation import Operation
from rave_http.description.json_schema import Schema
from rave_http.description.operation_documents import parameters
from rave_http.description.schema_validator import SchemaValidator


@dataclass(frozen=True, slots=True)
class _ArgumentCheck:
    """What checks one argument."""

    schema: Schema
    validator: SchemaValidator


@dataclass(frozen=True, slots=True)
class _Checks:
    """What checks the arguments of an operation; those of ``**kwargs`` have one for all.

    ``None`` stands for unknown names: a later check reports them with the nearest known name.
    """

    by_name: Mapping[str, _ArgumentCheck]
    others: _ArgumentCheck | None


_checks: Final[WeakKeyDictionary[Operation[..., Any], _Checks]] = WeakKeyDictionary()


def wrong_arguments(operation: Operation[..., Any], document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The violations of the schema that `parameters` promises, in a JSON object of arguments; empty if all of it fits.

    A typemap also takes what can be converted, ``"10"`` for 10. That is meant for Python and for texts. JSON has its
    own types, and a client that sends the wrong one probably means something else. The values of a query or a form
    are texts, which no schema describes; they are checked by the converters alone.

    Returns:
        list[dict[str, Any]]: ``{"parameter", "pointer", "detail", "schema"}`` for each wrong argument, for
        `problems.Problem`.
    """
    checks, wrong = _checks_of(operation), []
    for name, value in document.items():
        check = checks.by_name.get(name, checks.others)
        misfit = check and check.validator.outermost(value, (name,))
        if check and misfit:
            detail = f"argument {misfit.path!r}: {misfit.detail}"
            facts = {"parameter": name, "pointer": misfit.pointer, "detail": detail, "schema": check.schema}
            wrong.append(facts)
    return wrong


def _checks_of(operation: Operation[..., Any]) -> _Checks:
    """The checks of an operation, made when it is first asked; a reload of its code makes another operation."""
    found = _checks.get(operation)
    if found is None:
        schema = parameters(operation)
        others = schema["additionalProperties"]
        found = _checks[operation] = _Checks(
            {
                name: _ArgumentCheck(fragment, SchemaValidator(fragment))
                for name, fragment in schema["properties"].items()
            },
            None if others is False else _ArgumentCheck(others, SchemaValidator(others)),
        )
    return found
