"""Defaults in schemas: each fits its own schema as every tool reads it, or does not stand there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rave_http.description.schema_validator import SchemaValidator


def with_default(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a parameter, which allows its own default: passing it is the same call as omitting it.

    Defaults deeper inside that do not fit are left out.

    Args:
        schema: sound, as `rave_http.description.sound_schema.sound` gives it.
    """
    inner = {keyword: _fitting(value) for keyword, value in schema.items()}
    if _fits(inner):
        return inner
    default = inner.pop("default")
    return {"anyOf": [inner, exactly(default)], "default": default}


def exactly(value: Any) -> dict[str, Any]:
    """The schema of one JSON value. Generators of clients take ``const`` for scalars only."""
    if isinstance(value, list):
        size = len(value)
        found = {"type": "array", "prefixItems": [exactly(each) for each in value], "minItems": size, "maxItems": size}
        return found if value else {"type": "array", "items": {}, "maxItems": 0}
    if isinstance(value, dict):
        members = {name: exactly(each) for name, each in value.items()}
        return {"type": "object", "properties": members, "required": sorted(members), "additionalProperties": False}
    return {"const": value} if value is not None else {"type": "null"}


def _fits(schema: Mapping[str, Any]) -> bool:
    return "default" not in schema or SchemaValidator(schema, is_strict=True).accepts(schema["default"])


def _fitting(value: Any) -> Any:
    """The schemas in the value of a keyword, without the defaults that do not fit them."""
    if isinstance(value, list):
        return [_fitting(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {keyword: each if keyword == "default" else _fitting(each) for keyword, each in value.items()}
    if not _is_schema(found) or _fits(found):
        return found
    return {keyword: each for keyword, each in found.items() if keyword != "default"}


def _is_schema(found: Mapping[str, Any]) -> bool:
    """Whether it is a schema rather than schemas by name, one of which may be called ``default``."""
    return not isinstance(found.get("default"), dict) or not all(isinstance(each, dict) for each in found.values())
