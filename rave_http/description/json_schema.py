"""JSON Schema 2020-12 as far as typemaps speak it: schemas of plugins made sound, and values checked against them.

Keywords that are not known here are left alone: they refuse nothing.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Schema: TypeAlias = "Mapping[str, Any] | bool"
Steps: TypeAlias = "tuple[str | int, ...]"

ANNOTATIONS: Final = frozenset({"title", "description", "default", "examples", "deprecated", "$schema", "$comment"})
"""Keywords that refuse nothing."""

_TYPES: Final = ("null", "boolean", "integer", "number", "string", "array", "object")


@dataclass(frozen=True, slots=True)
class Misfit:
    """Something in a value that a schema does not allow.

    Attributes:
        steps: where: names of members and places of items, from the outside in.
        detail: what is wrong, and what would be right.
    """

    steps: Steps
    detail: str

    @property
    def path(self) -> str:
        """Where, as in ``numbers[3]``; empty for the value as a whole."""
        first = str(self.steps[0]) if self.steps else ""
        return first + "".join(f"[{step!r}]" for step in self.steps[1:])


def sound(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema as it comes out of JSON, without the keywords that are malformed or that JSON has no form for.

    A converter's schema is written by a plugin; what is wrong with one must not spoil the document of all others.
    """
    return _shaped(_plain(schema))


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What JSON can say of a schema."""
    try:
        whole: dict[str, Any] = json.loads(json.dumps(schema, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return {str(keyword): value for keyword, inner in schema.items() for value in _plain_values(inner)}
    return whole


def _plain_values(value: Any) -> Iterator[Any]:
    """A value as it comes out of JSON, or nothing."""
    if isinstance(value, Mapping):
        yield _plain(value)
        return
    with contextlib.suppress(TypeError, ValueError, RecursionError):
        yield json.loads(json.dumps(value, allow_nan=False))


def _shaped(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema without the keywords that are malformed, or that speak of a document of which it is no part."""
    shaped: dict[str, Any] = {}
    for keyword, value in schema.items():
        found = _INNER[keyword](value) if keyword in _INNER else value
        if keyword in _SHAPES and _SHAPES[keyword](found):
            shaped[keyword] = found
    return shaped


def accepts_anything(schema: Schema) -> bool:
    """Whether a schema refuses nothing, as far as its keywords tell."""
    return schema is True or (isinstance(schema, Mapping) and ANNOTATIONS.issuperset(schema))


def misfits(schema: Schema, value: Any, steps: Steps = ()) -> Iterator[Misfit]:
    """What is wrong with ``value``, a value that came out of JSON; nothing if it fits."""
    if schema is False:
        yield Misfit(steps, "nothing is accepted here")
    if isinstance(schema, bool):
        return
    checks = (check for keyword, check in _CHECKS.items() if keyword in schema)
    wrong = next((message for check in checks for message in check(schema, value)), "")
    if wrong:
        yield Misfit(steps, wrong)
        return
    if isinstance(value, list):
        yield from _misfits_of_items(schema, value, steps)
    elif isinstance(value, dict):
        yield from _misfits_of_members(schema, value, steps)


def fits(schema: Schema, value: Any) -> bool:
    """Whether there is nothing wrong with ``value``."""
    return next(misfits(schema, value), None) is None


def kind_of(value: Any) -> str:
    """What JSON calls the type of a value; a number without a fraction is an integer."""
    if isinstance(value, bool) or value is None:
        return "boolean" if isinstance(value, bool) else "null"
    if isinstance(value, (int, float)):
        return "integer" if isinstance(value, int) or value.is_integer() else "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def types_of(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The types that the keyword ``type`` allows; empty where it does not stand there."""
    kinds = schema.get("type", ())
    return (kinds,) if isinstance(kinds, str) else tuple(kinds)


def in_words(schema: Schema) -> str:
    """What a schema asks for, in words: ``an integer from 1 to 10``, ``a list of texts``."""
    if isinstance(schema, bool) or accepts_anything(schema):
        return "any value" if schema is not False else "nothing"
    if "enum" in schema:
        return f"one of {', '.join(map(_shown, schema['enum']))}"
    if "const" in schema:
        return _shown(schema["const"])
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return " or ".join(dict.fromkeys(in_words(inner) for inner in schema[keyword]))
    words = " or ".join(_WORDS[kind] for kind in types_of(schema)) or "a value"
    return f"{_FORMATS.get(schema.get('format', ''), words)}{_limits(schema)}{_of_items(schema)}"


def _misfits_of_items(schema: Mapping[str, Any], value: list[Any], steps: Steps) -> Iterator[Misfit]:
    places = schema.get("prefixItems", ())
    for index, item in enumerate(value):
        inner = places[index] if index < len(places) else schema.get("items", True)
        yield from misfits(inner, item, (*steps, index))


def _misfits_of_members(schema: Mapping[str, Any], value: dict[str, Any], steps: Steps) -> Iterator[Misfit]:
    known = schema.get("properties", {})
    for name, item in value.items():
        inner = known.get(name, schema.get("additionalProperties", True))
        yield from misfits(inner, item, (*steps, name))
    for name in schema.get("required", ()):
        if name not in value:
            yield Misfit((*steps, name), "it is missing")


def _check_type(schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    kind, wanted = kind_of(value), types_of(schema)
    if kind not in wanted and not (kind == "integer" and "number" in wanted):
        yield f"{_shown(value)} is not {in_words(schema)}"


def _check_enum(schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    options = schema["enum"] if "enum" in schema else [schema["const"]]
    if not any(_equal(option, value) for option in options):
        yield f"{_shown(value)} is not {in_words(schema)}"


def _check_any_of(schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    if not any(fits(inner, value) for inner in schema["anyOf"]):
        yield f"{_shown(value)} is not {in_words(schema)}"


def _check_limits(schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        is_low = value < schema.get("minimum", -math.inf) or value <= schema.get("exclusiveMinimum", -math.inf)
        if is_low or value > schema.get("maximum", math.inf) or value >= schema.get("exclusiveMaximum", math.inf):
            yield f"{_shown(value)} is not {in_words(schema)}"
    for kind, unit in ((list, "Items"), (str, "Length")):
        least, most = schema.get(f"min{unit}", 0), schema.get(f"max{unit}", math.inf)
        if isinstance(value, kind) and not least <= len(value) <= most:
            noun = "items" if kind is list else "characters"
            yield f"it has {len(value)} {noun}, and {_range(least, most)} are wanted"


def _check_pattern(schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    if isinstance(value, str) and re.search(schema["pattern"], value) is None:
        yield f"{_shown(value)} is not written as it has to be, by the pattern {schema['pattern']}"


def _equal(one: Any, other: Any) -> bool:
    return one == other and isinstance(one, bool) is isinstance(other, bool)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:60]}…"


def _range(least: float, most: float) -> str:
    if least == most:
        return f"exactly {least}"
    return f"at least {least}" if math.isinf(most) else f"{least} to {most}" if least else f"at most {most}"


def _limits(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f" from {least} to {most}"
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    words = (("from", "on", least), ("up to", "", most), ("above", "", above), ("below", "", below))
    return "".join(f" {before} {limit} {after}".rstrip() for before, after, limit in words if limit is not None)


def _of_items(schema: Mapping[str, Any]) -> str:
    if "prefixItems" in schema:
        return f" of {', '.join(map(in_words, schema['prefixItems']))}"
    items = schema.get("items", True)
    return "" if accepts_anything(items) else f", each {in_words(items)}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _is_schema(value: Any) -> bool:
    return isinstance(value, (dict, bool))


def _is_type(value: Any) -> bool:
    kinds = value if isinstance(value, list) else [value]
    return bool(kinds) and all(kind in _TYPES for kind in kinds) and len(set(kinds)) == len(kinds)


def _is_pattern(value: Any) -> bool:
    try:
        return isinstance(value, str) and re.compile(value) is not None
    except re.error:
        return False


def _are_names(value: Any) -> bool:
    is_list = isinstance(value, list) and all(isinstance(name, str) for name in value)
    return is_list and len(set(value)) == len(value)


def _are_schemas(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _is(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind)


def _sound_inside(value: Any) -> Any:
    """Schemas in a list or in an object, each made sound."""
    if isinstance(value, list):
        return [_sound_one(inner) for inner in value if _is_schema(inner)]
    if not isinstance(value, dict):
        return None
    return {name: _sound_one(inner) for name, inner in value.items() if _is_schema(inner)}


def _sound_one(value: Any) -> Any:
    return _shaped(value) if isinstance(value, dict) else value


_INNER: Final[dict[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("items", "additionalProperties", "not", "contains", "propertyNames"), _sound_one),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems", "properties"), _sound_inside),
}

_SHAPES: Final[dict[str, Callable[[Any], bool]]] = {
    "type": _is_type,
    "enum": _is(list),
    **dict.fromkeys(("items", "additionalProperties", "not", "contains", "propertyNames"), _is_schema),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), _are_schemas),
    "properties": _is(dict),
    **dict.fromkeys(("const", "default"), _is(object)),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _is_number),
    "multipleOf": lambda value: _is_number(value) and value > 0,
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _is_count),
    **dict.fromkeys(("title", "description", "format", "contentMediaType", "$comment"), _is(str)),
    "required": _are_names,
    "pattern": _is_pattern,
    "examples": _is(list),
    **dict.fromkeys(("uniqueItems", "deprecated", "readOnly", "writeOnly"), _is(bool)),
}

_CHECKS: Final[dict[str, Callable[[Mapping[str, Any], Any], Iterator[str]]]] = {
    "type": _check_type,
    "enum": _check_enum,
    "const": _check_enum,
    "anyOf": _check_any_of,
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _check_limits),
    **dict.fromkeys(("minItems", "maxItems", "minLength", "maxLength"), _check_limits),
    "pattern": _check_pattern,
}

_WORDS: Final = {
    "null": "nothing",
    "boolean": "true or false",
    "integer": "an integer",
    "number": "a number",
    "string": "a text",
    "array": "a list",
    "object": "an object",
}
_FORMATS: Final = {"date": "a date", "date-time": "a date and time", "time": "a time of day", "uuid": "a UUID"}
