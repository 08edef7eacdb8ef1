"""Arguments as a query or a form writes them: as texts. What a text may be follows from the parameter's JSON Schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from rave_http.description.json_schema import ANNOTATIONS, accepts_anything, types_of

_SCALARS: Final = frozenset({"boolean", "integer", "null", "number", "string"})
_TYPES: Final = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    type(None): "null",
    list: "array",
    dict: "object",
}
_NULL: Final = {"type": "null"}
_EMPTY: Final = {"const": ""}


class Writing(StrEnum):
    """How a value is written as text: as itself, as several texts of one name, or as JSON."""

    SCALAR = "scalar"
    LIST = "list"
    JSON = "json"


def writing_of(schema: Mapping[str, Any]) -> Writing:
    """How values that fit a schema are written."""
    branches = [branch for branch in branches_of(schema) if not _is_null(branch)]
    if not branches or not all(map(_is_scalar, branches)):
        is_list = len(branches) == 1 and branches[0].get("type") == "array" and _has_scalar_items(branches[0])
        return Writing.LIST if is_list else Writing.JSON
    return Writing.SCALAR


@dataclass(frozen=True, slots=True)
class Written:
    """One parameter of an operation as texts.

    Attributes:
        name: as in the operation.
        writing: how a value of it is written; each item of ``*args`` is a text of its own.
        schema: what the texts have to be.
        is_required: whether it has no default.
    """

    name: str
    writing: Writing
    schema: dict[str, Any]
    is_required: bool

    def in_query(self) -> dict[str, Any]:
        """The parameter of the query."""
        found: dict[str, Any] = {"name": self.name, "in": "query", "required": self.is_required}
        if "description" in self.schema:
            found["description"] = self.schema["description"]
        if self.writing is Writing.JSON:
            return found | {"content": {"application/json": {"schema": self.schema}}}
        if self.writing is Writing.LIST:
            found |= {"style": "form", "explode": True}
        return found | {"schema": self.schema}

    def in_form(self) -> dict[str, Any]:
        """What the field of a form has to be."""
        if self.writing is Writing.LIST and isinstance(self.schema.get("items"), dict):
            # A field that is sent once is a list of one, which looks the same as a text.
            return {"anyOf": [self.schema, self.schema["items"]]}
        if self.writing is not Writing.JSON:
            return self.schema
        notes = {keyword: value for keyword, value in self.schema.items() if keyword in ANNOTATIONS}
        notes.pop("default", None)  # it is not a text
        return notes | {"type": "string", "contentMediaType": "application/json"}


def written(schema: Mapping[str, Any], rest: str | None) -> list[Written]:
    """The parameters of an operation as texts; what ``**kwargs`` takes is not among them.

    Args:
        schema: of all its parameters.
        rest: the name of its ``*args``, if it has any.
    """
    needed = frozenset(schema["required"])
    return [
        Written(name, Writing.LIST, _rest_schema(fragment), is_required=False)
        if name == rest
        else Written(name, writing_of(fragment), text_schema(fragment, is_required=name in needed), name in needed)
        for name, fragment in schema["properties"].items()
    ]


def other_texts(values: Any) -> dict[str, Any]:
    """What ``**kwargs`` takes as texts, given the schema of its values: any name but those that mean something else."""
    inner = _one_text(values if isinstance(values, dict) else {})
    return {"type": "object", "additionalProperties": inner, "propertyNames": {"pattern": r"^[^.]*$"}}


def text_schema(schema: Mapping[str, Any], *, is_required: bool = False) -> dict[str, Any]:
    """What a text, or each of several texts, has to be so that it is accepted.

    An empty text means null where null is accepted and no text is; a list of no items can't be written at all.
    """
    writing = writing_of(schema)
    if writing is Writing.JSON:
        return relaxed(schema)
    notes = {keyword: value for keyword, value in schema.items() if keyword in ANNOTATIONS}
    branches = [branch for branch in branches_of(relaxed(schema)) if not _is_null(branch)]
    if writing is Writing.LIST:
        return _without_null(notes) | _list_of_texts(branches[0], is_required=is_required)
    nullable = any(map(_is_null, branches_of(schema)))
    if nullable and not any(map(_is_any_text, branches)):
        return notes | {"anyOf": [*branches, _NULL, _EMPTY]}
    if not nullable:
        return relaxed(schema)
    return _without_null(notes) | (dict(branches[0]) if len(branches) == 1 else {"anyOf": branches})


def relaxed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema as requests have to fit it: items of a set may repeat, since the set is built from them.

    Values of several types stand apart, by type: generators of clients have no type for all of them.
    """
    found = {keyword: _relaxed(value) for keyword, value in schema.items() if keyword != "uniqueItems"}
    by_type = _by_type(found.get("enum", ()))
    if len(by_type) < 2 or "anyOf" in found:
        return found
    del found["enum"]
    found["anyOf"] = [{"type": kind, "enum": values} for kind, values in by_type.items() if kind != "null"]
    if "null" in by_type:
        found["anyOf"].append(dict(_NULL))
    return found


def _by_type(values: Iterable[Any]) -> dict[str, list[Any]]:
    """JSON values by their types, in their order."""
    found: dict[str, list[Any]] = {}
    for value in values:
        found.setdefault(_TYPES.get(type(value), "object"), []).append(value)
    return found


def _relaxed(value: Any) -> Any:
    if isinstance(value, dict):
        return relaxed(value)
    return [_relaxed(inner) for inner in value] if isinstance(value, list) else value


def _rest_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What the items of ``*args`` have to be as texts."""
    items = schema.get("items", {})
    return {**relaxed(schema), "items": _one_text(items if isinstance(items, dict) else {})}


def _list_of_texts(schema: Mapping[str, Any], *, is_required: bool) -> dict[str, Any]:
    written = dict(schema)
    if "items" in written:
        written["items"] = text_schema(written["items"])
    if "prefixItems" in written:
        written["prefixItems"] = [text_schema(item) for item in written["prefixItems"]]
    if is_required:
        written["minItems"] = max(1, written.get("minItems", 0))
    return written


def _one_text(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What one text has to be, where several texts can't stand for a list."""
    if accepts_anything(schema):
        return {"type": "string", "description": "JSON, or any other text"}
    if writing_of(schema) is Writing.SCALAR:
        return text_schema(schema)
    return {"type": "string", "contentMediaType": "application/json", "contentSchema": relaxed(schema)}


def branches_of(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The alternatives that a schema allows, without annotations."""
    plain = {keyword: value for keyword, value in schema.items() if keyword not in ANNOTATIONS}
    if "anyOf" in plain and len(plain) == 1:
        return [branch for inner in plain["anyOf"] if isinstance(inner, dict) for branch in branches_of(inner)]
    kinds = types_of(plain)
    if len(kinds) > 1 and "null" in kinds:
        others = [kind for kind in kinds if kind != "null"]
        return [{**plain, "type": others if len(others) > 1 else others[0]}, dict(_NULL)]
    return [plain]


def _is_null(schema: Mapping[str, Any]) -> bool:
    return types_of(schema) == ("null",)


def _is_scalar(schema: Mapping[str, Any]) -> bool:
    if "enum" in schema or "const" in schema:
        values = schema["enum"] if "enum" in schema else [schema["const"]]
        return not any(isinstance(value, (dict, list)) for value in values)
    kinds = types_of(schema)
    return bool(kinds) and _SCALARS.issuperset(kinds)


def _has_scalar_items(schema: Mapping[str, Any]) -> bool:
    inner = [*schema.get("prefixItems", ()), *([schema["items"]] if "items" in schema else ())]
    return bool(inner) and all(isinstance(item, dict) and writing_of(item) is Writing.SCALAR for item in inner)


def _is_any_text(schema: Mapping[str, Any]) -> bool:
    return schema == {"type": "string"}


def _without_null(notes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in notes.items() if name != "default" or value is not None}
