"""What the JSON Schemas of the service's documents are put together from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rave_core.converters.times import DURATION_SCHEMA
from rave_http.description.json_schema import Schema

# A duration as a text; a number of seconds would be one too, but a form has only texts.
DURATION: Final = DURATION_SCHEMA["anyOf"][1]["pattern"]

TEXT: Final[dict[str, Any]] = {"type": "string"}
FLAG: Final[dict[str, Any]] = {"type": "boolean"}
NUMBER: Final[dict[str, Any]] = {"type": "number"}
COUNT: Final[dict[str, Any]] = {"type": "integer", "minimum": 0}
TEXTS: Final[dict[str, Any]] = {"type": "array", "items": TEXT}
TIME: Final[dict[str, Any]] = {"type": "string", "format": "date-time"}


def ref(name: str, group: str = "schemas") -> dict[str, str]:
    """A reference to a component."""
    return {"$ref": f"#/components/{group}/{name}"}


def record(
    description: str, properties: Mapping[str, Schema], *, required: Sequence[str] | None = None, is_open: bool = True
) -> dict[str, Any]:
    """An object.

    Args:
        description: what it is.
        properties: by name.
        required: those that are always there; by default, all.
        is_open: whether there may be others.
    """
    schema: dict[str, Any] = {"type": "object", "description": description, "properties": dict(properties)}
    schema["required"] = sorted(properties if required is None else required)
    return schema if is_open else schema | {"additionalProperties": False}


def or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What fits a schema, or null."""
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [dict(schema), {"type": "null"}]}


def list_of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A list of what fits a schema."""
    return {"type": "array", "items": dict(schema)}


def by_name(schema: Mapping[str, Any]) -> dict[str, Any]:
    """An object with any names, whose values fit a schema."""
    return {"type": "object", "additionalProperties": dict(schema)}
