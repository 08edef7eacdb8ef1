"""Descriptions: the JSON documents about operations, for lists and single operations."""

from __future__ import annotations

import difflib
import heapq
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import quote, unquote

from rave_core.errors import nearest
from rave_core.expiry import Strategy, forever, nocache
from rave_core.model import Kind, OperationSpec
from rave_core.operations.operation import Operation
from rave_core.text.humanize import span
from rave_http.description.defaults import with_default
from rave_http.description.docstrings import plain_text, prose
from rave_http.description.sound_schema import sound
from rave_http.protocol.problems import Problem

Operations: TypeAlias = Iterable[tuple[str, Operation[..., Any]]]
"""Full names and operations, as a `rave_core.operations.catalog.Catalog` gives them."""

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MOST_LISTED: Final = 1000
MOST_COMPARED: Final = 1000
CURSOR: Final = r"^([2-7][0-9a-f])+$"
"""Every text of this form is a cursor; it is opaque to clients."""

_FEW: Final = 20
_TABLES: Final = (
    "application/json",
    "text/csv",
    "application/vnd.apache.arrow.stream",
    "application/vnd.apache.parquet",
    "text/html",
)
_TABULAR: Final = frozenset(_TABLES) - {"application/json", "text/html"} | {"application/vnd.apache.arrow.file"}
_PICTURES: Final = ("image/png", "image/svg+xml", "application/pdf")
UNTOLD: Final = "application/octet-stream"
"""The media type of an operation that declares none."""
_BYTES: Final = frozenset({"bytes", "bytearray", "memoryview"})
_PLAIN: Final = frozenset({"bool", "float", "int", "str"})
_TABLE: Final = re.compile(r"(Table|Frame|RecordBatch)$|^(list|List|Sequence)(\[(dict|Dict|Mapping)\b|$)")
"""Annotations of results that are tables."""
_VARIADIC: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def describe(name: str, operation: Operation[..., Any], *, base: str) -> dict[str, Any]:
    """Everything that a caller has to know about an operation.

    Args:
        name: ``namespace/operation``.
        operation: as the catalog has it.
        base: the prefix of every URL.

    Raises:
        RaveError: its strategy, version or a converter has a name that is not known; a catalog has no such operation.
    """
    spec, resolved = operation.spec, operation.resolved()
    return {
        **summary(name, operation, base=base),
        "doc": spec.doc,
        "media_types": list(media_types(spec)),
        "expires": expiry_in_words(resolved.strategy),
        "version": {"strategy": resolved.version_note, "value": resolved.binder.version},
        "stale_while_revalidate": spec.stale_while_revalidate,
        "stale_if_error": spec.stale_if_error,
        "parameters": {"$schema": DIALECT, "title": f"Arguments of {name}", **parameters(operation)},
    }


def summary(name: str, operation: Operation[..., Any], *, base: str) -> dict[str, Any]:
    """The entry of an operation in a list; the arguments are those of `describe`."""
    spec = operation.spec
    path, behind = quote(name), name_behind(name, spec)
    return {
        "name": name,
        "summary": prose(spec.doc).summary,
        "kind": spec.kind.value,
        "mime_type": spec.mime_type,
        "tags": list(spec.tags),
        "links": {
            "run": f"{base}/{path}",
            "ui": f"{base}/-/ui/{path}",
            "self": f"{base}/-/ops/{path}",
            **({"behind": f"{base}/-/ops/{quote(behind)}"} if behind is not None else {}),
        },
    }


def name_behind(name: str, spec: OperationSpec) -> str | None:
    """The full name of the operation behind another, which is in the same namespace; ``None`` if there is none."""
    return None if spec.behind is None else f"{name.partition('/')[0]}/{spec.behind}"


def listing(
    catalog: Operations,
    *,
    may_view: Callable[[str], bool],
    namespace: str | None = None,
    text: str | None = None,
    tag: str | None = None,
    cursor: str | None = None,
    limit: int = 100,
    base: str = "",
) -> dict[str, Any]:
    """Some of the operations, by name: ``{"operations": [summary, …], "next": cursor or None}``.

    A page starts after the last name of the previous one. So operations that come and go between pages make no other
    operation appear twice or never.

    Args:
        catalog: what there is.
        may_view: whether the principal may see the namespace of that name.
        namespace: only this one.
        text: only operations with all its words in name, docstring or tags, regardless of case.
        tag: only what has this tag.
        cursor: ``next`` of the page before.
        limit: of operations in one page.
        base: the prefix of every URL.

    Raises:
        Problem: the cursor or the limit can't be used.
    """
    check_limit(limit)
    found = search(catalog, may_view=may_view, namespace=namespace, text=text, tag=tag)
    page, following = part(found, cursor, limit)
    return {"operations": [summary(name, operation, base=base) for name, operation in page], "next": following}


def check_limit(limit: int) -> None:
    """Returns if so many operations can be listed at once.

    Raises:
        Problem: they can't.
    """
    if not 1 <= limit <= MOST_LISTED:
        detail = f"limit={limit} is not between 1 and {MOST_LISTED}"
        raise Problem("bad-request", detail, errors=[{"parameter": "limit", "detail": detail}])


_Named = TypeVar("_Named", bound=tuple[str, Any])


def part(pairs: Iterable[_Named], cursor: str | None, limit: int) -> tuple[list[_Named], str | None]:
    """One page of named things, by name, after the last one of the previous page; and the cursor of the next page.

    Raises:
        Problem: the cursor can't be used.
    """
    after = "" if cursor is None else _after(cursor)
    found = heapq.nsmallest(limit + 1, (pair for pair in pairs if pair[0] > after), key=lambda pair: pair[0])
    return found[:limit], _cursor(found[limit - 1][0]) if len(found) > limit else None


def search(
    catalog: Operations,
    *,
    may_view: Callable[[str], bool],
    namespace: str | None = None,
    text: str | None = None,
    tag: str | None = None,
) -> Iterator[tuple[str, Operation[..., Any]]]:
    """The operations that a search finds, in the order of the catalog; the arguments are those of `listing`."""
    words = (text or "").lower().split()
    for name, operation in catalog:
        space, spec = name.partition("/")[0], operation.spec
        if namespace not in (None, space) or (tag and tag not in spec.tags) or not may_view(space):
            continue
        if words:
            hay = " ".join((name, spec.doc, *spec.tags)).lower()
            if not all(word in hay for word in words):
                continue
        yield name, operation


def nearest_operation(catalog: Operations, name: str, may_view: Callable[[str], bool]) -> str:
    """A closing phrase for messages: the operation with the nearest name to ``name``, in its own namespace if possible.

    Among very many names, it compares only those nearest in length, since comparing takes time.

    Args:
        catalog: what there is.
        name: ``namespace/operation``, which does not exist.
        may_view: whether the principal may see the namespace of that name.
    """
    space, names = name.partition("/")[0], [each for each, _ in catalog]
    visible = {each: may_view(each) for each in {full.partition("/")[0] for full in names}}
    seen = [full for full in names if visible[full.partition("/")[0]]]
    if len(seen) <= _FEW:
        return nearest(name, seen)
    own = [full for full in seen if full.partition("/")[0] == space]
    for among in (own, seen):
        some = heapq.nsmallest(MOST_COMPARED, among, key=lambda full: abs(len(full) - len(name)))
        close = difflib.get_close_matches(name, some, n=1)
        if close:
            return f"did you mean {close[0]!r}?"
    return "the catalog at '/' lists those that there are"


def parameters(operation: Operation[..., Any]) -> dict[str, Any]:
    """The arguments of a call as a JSON Schema 2020-12 object, with the docstring's text about each parameter."""
    spec = operation.spec
    schema = sound(_untyped(spec) if spec.typemap is None else spec.typemap.schema())
    said, properties = prose(spec.doc).parameters, schema["properties"]
    for parameter in spec.parameters:
        if isinstance(parameter.default, Enum):
            _note_member(properties[parameter.name], parameter.default)
    for name, fragment in properties.items():
        notes = {"title": name, "description": said[name]} if name in said else {"title": name}
        properties[name] = notes | with_default(fragment)
    return schema


def media_types(spec: OperationSpec) -> tuple[str, ...]:
    """The media types that the results of an operation may take, its own type first.

    It is a guess from the declared MIME type and the annotation: only an actual value determines its forms.
    """
    own = own_type(spec)
    if spec.kind.is_written:
        return (own,)
    if own == UNTOLD:
        made = _annotated_result(spec)
        if made in _BYTES:
            return (own,)
        if made in _PLAIN:
            return ("application/json", "text/plain")
        return ("application/json", "text/plain", *_TABLES[1:], *_PICTURES, UNTOLD)
    return tuple(dict.fromkeys((own, *_others(own))))


def sure_types(spec: OperationSpec) -> tuple[str, ...]:
    """The media types among these that every result can take, as far as its declared type and annotation tell.

    A result under the type of a table may be bytes, which have that form alone. One without a declared type may be
    anything.
    """
    own = own_type(spec)
    if spec.kind is not Kind.DATA:
        return (own,)
    made = _annotated_result(spec)
    if own == UNTOLD or (own in _TABULAR and _TABLE.search(made)):
        return media_types(spec)
    return (own,)


def _annotated_result(spec: OperationSpec) -> str:
    """The annotation of an operation's result, as text; empty for none."""
    found = getattr(spec.function, "__annotations__", {}).get("return", "")
    return found if isinstance(found, str) else getattr(found, "__name__", None) or str(found)


def own_type(spec: OperationSpec) -> str:
    """The media type that an operation declares, without parameters."""
    return spec.mime_type.partition(";")[0].strip().lower()


def _others(own: str) -> tuple[str, ...]:
    """The further forms of a value that is declared to be of a type."""
    if own in _TABULAR:
        return _TABLES
    if own in _PICTURES:
        return _PICTURES
    if own == "application/json" or own.endswith("+json"):
        return ("application/json", "text/plain", *_TABLES[1:])
    return ("text/plain", "application/json") if own.startswith("text/") else ()


def expiry_in_words(strategy: Strategy) -> str:
    """When results under ``strategy`` expire, in words."""
    if strategy is forever:
        return "never"
    if strategy is nocache:
        return "at once: nothing is stored"
    seconds, age_arg = getattr(strategy, "seconds", None), getattr(strategy, "age_arg", None)
    if isinstance(seconds, (int, float)):
        return f"after {span(seconds)}"
    if age_arg is not None:
        recent, settled, age = (getattr(strategy, part) for part in ("recent", "settled", "age"))
        window = f"while '{age_arg}' is less than {span(age.seconds)} ago"
        return f"{expiry_in_words(recent)} {window}, else {expiry_in_words(settled)}"
    doc = inspect.getdoc(strategy) if hasattr(strategy, "__name__") else None
    return plain_text((doc or "").partition("\n")[0]) or getattr(strategy, "__name__", None) or repr(strategy)


def _untyped(spec: OperationSpec) -> dict[str, Any]:
    """The schema where nothing is known of the types: any value fits any parameter."""
    properties: dict[str, Any] = {}
    for parameter in spec.parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            properties[parameter.name] = {"type": "array", "items": {}}
        elif parameter.kind is not parameter.VAR_KEYWORD:
            has_default = parameter.default is not parameter.empty
            properties[parameter.name] = {"default": parameter.default} if has_default else {}
    needed = [p.name for p in spec.parameters if p.default is p.empty and p.kind not in _VARIADIC]
    others = any(parameter.kind is parameter.VAR_KEYWORD for parameter in spec.parameters)
    return {"type": "object", "properties": properties, "required": needed, "additionalProperties": others}


def _note_member(fragment: dict[str, Any], member: Enum) -> None:
    """Adds a default that is an enum member, as the schema names members: JSON has no form for it."""
    named = [each for each in (member.value, member.name) if each in fragment.get("enum", ())]
    if named:
        fragment["default"] = named[0]


def _cursor(name: str) -> str:
    return quote(name).encode("ascii").hex()


def _after(cursor: str) -> str:
    if not re.fullmatch(CURSOR, cursor):
        detail = "The cursor is none that this service gave out; start without one"
        raise Problem("bad-request", detail, errors=[{"parameter": "cursor", "detail": detail}])
    return unquote(bytes.fromhex(cursor).decode("ascii"))
