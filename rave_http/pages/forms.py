"""Forms: the parameters of an operation as fields that a person fills in (R16), and what was filled in as a URL.

A browser sends every field, those that were left empty too, and a list as one text with line breaks. So a form goes not
to the operation itself but to its page, which redirects to the URL that a program would use: one address for one
question, without any script.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from typing import Any, Final
from urllib.parse import quote, urlencode

from rave_core.operations.operation import Operation
from rave_http.description.json_schema import accepts_anything, in_words, types_of
from rave_http.description.openapi.texts import Writing, branches_of, writing_of
from rave_http.description.operation_documents import parameters

GO: Final = "rave.go"
"""The hidden field that distinguishes a submitted form from a link to the form."""


class Control(StrEnum):
    """How a field is filled in."""

    INPUT = "input"
    SELECT = "select"
    LINES = "lines"
    JSON = "json"
    PAIRS = "pairs"


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a select: what is sent, and what is shown."""

    value: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One parameter as a field.

    Attributes:
        name: of the parameter, which is what is sent.
        id: unique in the page, whatever the name holds.
        control: an ``<input>`` of the given ``type``, a select, or a text area: of one item in each line, of JSON, or
            of ``name=value`` in each line.
        type: of an ``<input>``.
        is_required: whether it has no default.
        placeholder: the text shown while it is empty: the default, or an example.
        wanted: what it takes, in words.
        help: the docstring's text about it.
        default: the default as text; ``None`` if there is none, or it has no text form.
        choices: of a select, without the one for the default; of an ``<input>``, what is offered beside other texts.
        attributes: more of an ``<input>``: ``min``, ``max``, ``step``.
        value: its initial text.
        error: what was wrong with that.
        sample: a text that it accepts, for examples.
    """

    name: str
    id: str
    control: Control
    type: str = "text"
    is_required: bool = False
    placeholder: str = ""
    wanted: str = ""
    help: str = ""
    default: str | None = None
    choices: tuple[Choice, ...] = ()
    attributes: Mapping[str, str]
    value: str = ""
    error: str = ""
    sample: str = ""


def form_fields(
    operation: Operation[..., Any],
    given: Mapping[str, Sequence[str]] | None = None,
    errors: Mapping[str, str] | None = None,
) -> list[Field]:
    """The fields for the parameters of an operation, in their order.

    Args:
        operation: whose they are.
        given: texts by parameter, to start with.
        errors: what is wrong with these, by parameter.
    """
    properties, all_ = parameters(operation)["properties"], operation.spec.parameters
    texts, wrong = given or {}, errors or {}
    fields = []
    for place, parameter in enumerate(all_):
        name, error = parameter.name, wrong.get(parameter.name, "")
        if parameter.kind is parameter.VAR_KEYWORD:
            fields.append(_pairs_field(name, place, _others(texts, all_), error))
        else:
            fields.append(_field(parameter, place, properties.get(name, {}), texts.get(name, ()), error))
    return fields


def takes_slate(schema: Mapping[str, Any]) -> bool:
    """Whether what fits a schema may be the name of a slate."""
    return any(branch.get("format") == "slate" for branch in branches_of(schema))


def offered(fields: Sequence[Field], operation: Operation[..., Any], slates: Sequence[str]) -> list[Field]:
    """Fields of an operation, where those that take a slate offer those of the user, by their names."""
    properties = parameters(operation)["properties"]
    choices = tuple(Choice(f"slate:{name}", name) for name in slates)
    return [
        replace(field, choices=choices) if takes_slate(properties.get(field.name, {})) else field for field in fields
    ]


def run_query(operation: Operation[..., Any], sent: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """The query of a submitted form, without empty fields, and with lists item by item.

    Args:
        operation: whose form it is.
        sent: texts by field, the ``rave.…`` parameters too.
    """
    query: list[tuple[str, str]] = []
    known = {field.name: field for field in form_fields(operation)}
    for name, texts in sent.items():
        if name == GO:
            continue
        field = known.get(name)
        for text in texts:
            query += _sent(name, field, text.replace("\r\n", "\n"))
    return query


def run_url(name: str, query: Sequence[tuple[str, str]], *, base: str) -> str:
    """The URL of a question to the operation ``name``."""
    return f"{base}/{quote(name)}{'?' if query else ''}{urlencode(query)}"


def sample_query(fields: Sequence[Field]) -> list[tuple[str, str]]:
    """An example query: the contents of the fields, with samples for required ones that are empty."""
    query: list[tuple[str, str]] = []
    for field in fields:
        if field.value:
            query += _sent(field.name, field, field.value)
        elif field.is_required:
            query.append((field.name, field.sample))
    return query


def _sent(name: str, field: Field | None, text: str) -> list[tuple[str, str]]:
    if not text.strip():
        return []
    if field is None or field.control in (Control.INPUT, Control.SELECT, Control.JSON):
        return [(name, text)]
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if field.control is Control.LINES:
        return [(name, line) for line in lines]
    pairs = [line.partition("=") for line in lines]
    return [(other.strip(), value.strip()) for other, _, value in pairs]


def _others(given: Mapping[str, Sequence[str]], known: Sequence[inspect.Parameter]) -> list[str]:
    """The texts for ``**kwargs``: those that are for no parameter."""
    names = {parameter.name for parameter in known}
    return [
        f"{name}={text}" for name, texts in given.items() if name not in names and "." not in name for text in texts
    ]


def _pairs_field(name: str, place: int, others: Sequence[str], error: str) -> Field:
    return Field(
        name=name,
        id=f"field-{place}",
        control=Control.PAIRS,
        placeholder="name=value",
        wanted="any other arguments, one name=value in each line",
        attributes={},
        value="\n".join(others),
        error=error,
    )


def _field(
    parameter: inspect.Parameter, place: int, schema: Mapping[str, Any], texts: Sequence[str], error: str
) -> Field:
    name, is_rest = parameter.name, parameter.kind is parameter.VAR_POSITIONAL
    control, kind, choices = (Control.LINES, "text", ()) if is_rest else _control(schema)
    is_required = not is_rest and parameter.default is parameter.empty
    default = None if is_required or is_rest else _default(parameter, schema)
    attributes = _attributes(schema, kind)
    return Field(
        name=name,
        id=f"field-{place}",
        control=control,
        type=kind if all(_FORMS[kind].fullmatch(text) for text in texts) else "text",
        is_required=is_required,
        placeholder=_placeholder(schema, default, control),
        wanted=_wanted(schema, control),
        help=schema.get("description", ""),
        default=default,
        choices=choices,
        attributes=attributes,
        value="\n".join(texts),
        error=error,
        sample=_sample(name, schema, kind, choices, attributes),
    )


def _default(parameter: inspect.Parameter, schema: Mapping[str, Any]) -> str | None:
    """The default as written, which reads better than the typemap's result."""
    is_plain = isinstance(parameter.default, (str, int, float)) and not isinstance(parameter.default, Enum)
    default = parameter.default if is_plain else schema.get("default")
    if isinstance(default, list) and writing_of(schema) is Writing.LIST:
        return ", ".join(text for text in map(_text, default) if text)
    return _text(default)


def _control(schema: Mapping[str, Any]) -> tuple[Control, str, tuple[Choice, ...]]:
    """Control, type of the ``<input>``, and choices."""
    writing = writing_of(schema)
    if takes_slate(schema):
        return Control.INPUT, "text", ()
    if writing is Writing.LIST:
        return Control.LINES, "text", ()
    if writing is Writing.JSON:
        return Control.JSON, "text", ()
    branches = [branch for branch in branches_of(schema) if types_of(branch) != ("null",)]
    if len(branches) != 1:
        return Control.INPUT, "text", ()
    (branch,) = branches
    if "enum" in branch:
        return Control.SELECT, "text", tuple(Choice(text, text) for text in map(_text, branch["enum"]) if text)
    if types_of(branch) == ("boolean",):
        return Control.SELECT, "text", (Choice("true", "true"), Choice("false", "false"))
    if types_of(branch) in (("integer",), ("number",)):
        return Control.INPUT, "number", ()
    return Control.INPUT, _INPUT_TYPES.get(branch.get("format", ""), "text"), ()


def _attributes(schema: Mapping[str, Any], kind: str) -> dict[str, str]:
    if kind == "datetime-local":
        return {"step": "1"}
    if kind != "number":
        return {}
    branch = next(branch for branch in branches_of(schema) if types_of(branch) in (("integer",), ("number",)))
    found = {"step": "1" if types_of(branch) == ("integer",) else "any"}
    for attribute, keyword in (("min", "minimum"), ("max", "maximum")):
        if keyword in branch:
            found[attribute] = _text(branch[keyword]) or ""
    return found


def _placeholder(schema: Mapping[str, Any], default: str | None, control: Control) -> str:
    if default and control is not Control.SELECT:
        return default.replace(", ", "\n") if control is Control.LINES else default
    examples = _examples(schema)
    return f"e.g. {' or '.join(examples)}" if examples else ""


def _examples(schema: Mapping[str, Any]) -> list[str]:
    items = schema.get("items")
    forms = (schema, *schema.get("anyOf", ()), *([items] if isinstance(items, Mapping) else []))
    found = next((each["examples"] for each in forms if each.get("examples")), ())
    return [text for text in map(_text, found) if text]


def _wanted(schema: Mapping[str, Any], control: Control) -> str:
    if control is Control.JSON:
        return "JSON, or any other text" if accepts_anything(schema) else f"{in_words(_without_null(schema))}, as JSON"
    if control is Control.LINES:
        branch = next((each for each in branches_of(schema) if each.get("type") == "array"), {})
        items = branch.get("items", True)
        words = in_words(branch) if "prefixItems" in branch else "" if accepts_anything(items) else in_words(items)
        return f"{words}, one in each line" if words else "one item in each line"
    if takes_slate(schema):
        return "JSON, or slate:NAME for what you keep under that name"
    words = in_words(_without_null(schema))
    return "" if control is Control.SELECT or words == "a text" else words


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    branches = [branch for branch in branches_of(schema) if types_of(branch) != ("null",)]
    return branches[0] if len(branches) == 1 else {"anyOf": branches}


def _sample(
    name: str, schema: Mapping[str, Any], kind: str, choices: Sequence[Choice], attributes: Mapping[str, str]
) -> str:
    examples = _examples(schema)
    if examples:
        return examples[0]
    if choices:
        return choices[0].value
    if kind == "number":
        return attributes.get("min", "1")
    return _SAMPLES.get(kind, name.upper())


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


_FORMS: Final = {
    "text": re.compile(r".*", re.DOTALL),
    "number": re.compile(r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?"),
    "date": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    "datetime-local": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?"),
    "time": re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?"),
}
"""The value that a browser shows in an ``<input>`` of a type; it shows no other."""
_INPUT_TYPES: Final = {"date": "date", "date-time": "datetime-local", "time": "time"}
_SAMPLES: Final = {"date": "2007-04-27", "datetime-local": "2007-04-27T12:00", "time": "12:30"}
