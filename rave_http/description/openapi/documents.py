"""The OpenAPI document: the operations of a catalog as paths, and what all of them share."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from rave_core.model import OperationSpec
from rave_core.operations.operation import Operation
from rave_http.description.docstrings import prose
from rave_http.description.json_schema import accepts_anything
from rave_http.description.openapi.answers import HEADERS, part, problems, product, responses
from rave_http.description.openapi.schema_parts import FLAG, TEXT, ref
from rave_http.description.openapi.schemas import SCHEMAS
from rave_http.description.openapi.system import TAG, path_parameters, system_paths
from rave_http.description.openapi.texts import (
    Writing,
    Written,
    other_texts,
    relaxed,
    written,
)
from rave_http.description.operation_documents import Operations, media_types, parameters, sure_types
from rave_http.protocol.media_types import short_name

_DESCRIPTION: Final = """\
Analysis operations whose results are kept. Asking for an operation gives its result: at once where it is kept, else
after a short wait, else a ticket (202), which is the URL where the result will be; asking again is always safe.

Wherever GET is allowed, so is HEAD. Errors are problems (RFC 9457). A parameter that an operation does not have is an
error, and so is one that is given twice and takes no list. Lists can be repeated parameters, or one text with commas.
One range of bytes of a product can be asked for, and `If-None-Match` is honoured."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_UNUSUAL: Final = re.compile(r"[^A-Za-z0-9_]")
_COMMON: Final = (400, 401, 403, 404, 406, 409, 410, 414, 429, 500, 503, 504)


def document(
    catalog: Operations,
    *,
    base: str,
    version: str,
    title: str,
    may_view: Callable[[str], bool],
    others: Mapping[str, Any] = _NOTHING,
) -> dict[str, Any]:
    """The service as an OpenAPI 3.1.0 document. Equal catalogs give equal documents.

    Args:
        catalog: the operations.
        base: the prefix of every URL; empty for nothing.
        version: of the service.
        title: what it is called.
        may_view: whether the principal may see the namespace of that name.
        others: the path items of plugins, by path.
    """
    seen = sorted((name, operation) for name, operation in catalog if may_view(name.partition("/")[0]))
    paths = {f"/{quote(name)}": _path_item(name, operation) for name, operation in seen}
    spaces = list(dict.fromkeys(name.partition("/")[0] for name, _ in seen))
    forms = {_form_name(sure): _form(sure) for sure in {sure_types(operation.spec) for _, operation in seen}}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": _DESCRIPTION},
        "servers": [{"url": base or "/"}],
        "tags": [*({"name": space} for space in spaces), {"name": TAG, "description": "The service itself."}],
        "security": [{}, {"apiKey": []}, {"bearer": []}],
        "paths": dict(sorted((paths | system_paths() | dict(others)).items())),
        "components": {
            "schemas": dict(sorted(SCHEMAS.items())),
            "responses": responses(),
            "parameters": dict(sorted((_controls() | path_parameters() | forms).items())),
            "headers": HEADERS,
            "securitySchemes": {
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _path_item(name: str, operation: Operation[..., Any]) -> dict[str, Any]:
    spec, known = operation.spec, prose(operation.spec.doc)
    schema, made = parameters(operation), media_types(spec)
    texts = written(schema, _named(spec, inspect.Parameter.VAR_POSITIONAL))
    controls = [ref(each, "parameters") for each in (_form_name(sure_types(spec)), *_CONTROLS, "Prefer")]
    shared = {"tags": [name.partition("/")[0]], "summary": known.summary or name}
    if spec.doc:
        shared["description"] = spec.doc
    get = {
        "operationId": f"get.{_identifier(name)}",
        "parameters": [*_query(spec, schema, texts), *controls],
        "responses": _responses(made, known.returns, has_body=False),
    }
    post = {
        "operationId": f"post.{_identifier(name)}",
        "parameters": controls,
        "requestBody": _body(schema, texts),
        "responses": _responses(made, known.returns, has_body=True),
    }
    return {"get": shared | get, "post": shared | post}


def _query(spec: OperationSpec, schema: Mapping[str, Any], texts: Sequence[Written]) -> list[dict[str, Any]]:
    """The arguments as parameters of the query; those for ``**kwargs`` are one, which stands for any name."""
    query = [text.in_query() for text in texts]
    others, name = schema["additionalProperties"], _named(spec, inspect.Parameter.VAR_KEYWORD)
    if others is not False:
        query.append({"name": name, "in": "query", "style": "form", "explode": True, "schema": other_texts(others)})
    return query


def _named(spec: OperationSpec, kind: object) -> str | None:
    """The name of the parameter that takes all others of a kind."""
    return next((parameter.name for parameter in spec.parameters if parameter.kind is kind), None)


def _body(schema: Mapping[str, Any], texts: Sequence[Written]) -> dict[str, Any]:
    """The arguments as a JSON object, or also as a form if that can hold them."""
    document, others = relaxed(schema), schema["additionalProperties"]
    form = {**document, "properties": {text.name: text.in_form() for text in texts}}
    if others is not False:
        document["propertyNames"] = {"not": {"pattern": r"^rave\."}}
        form |= other_texts(others)
    content = {"application/json": {"schema": document}}
    # A form can hold objects and lists of lists only as JSON in a text, which tools do not know how to write.
    if all(text.writing is not Writing.JSON or accepts_anything(text.schema) for text in texts):
        content["application/x-www-form-urlencoded"] = {"schema": form}
    return {"required": bool(schema["required"]), "content": content}


@lru_cache(maxsize=256)
def _responses(made: tuple[str, ...], returns: str, *, has_body: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "200": product(returns or "The result.", made),
        "202": ref("Ticket", "responses"),
        "303": ref("SeeProduct", "responses"),
    }
    if has_body:
        found |= problems(*_COMMON, 412, 413, 415, 422)
    else:
        found |= {"206": part(made), "304": ref("NotModified", "responses"), **problems(*_COMMON, 412, 416, 422)}
    return dict(sorted(found.items()))


# 'rave.only_cached' is left out: without a kept result its answer is a 504. Tools that try every parameter would report
# that as a failure of the service.
_CONTROLS: Final = ("rave.prefer", "rave.refresh", "rave.deep_refresh")


def _controls() -> dict[str, dict[str, Any]]:
    """The parameters that every operation has beside its own, by the name of their component."""
    flag: dict[str, Any] = {"anyOf": [FLAG, {"const": ""}]}
    found = {
        "rave.prefer": ("What a header 'Prefer' would say.", TEXT),
        "rave.refresh": ("Compute anew, even if a result is kept; needs the permission 'refresh'.", flag),
        "rave.deep_refresh": ("The same for every operation that it calls, however deep.", flag),
        "rave.only_cached": ("For every operation: only a kept result, never compute; 504 where none is kept.", flag),
    }
    prefer = (
        "Preferences (RFC 7240): 'wait=N' waits up to N seconds for the result, 'respond-async' gives a ticket at "
        "once where it is not there, 'return=minimal' gives a reference to it. Others are ignored."
    )
    accept = "The media types that the result may have; a 406 lists those that it can have."
    return {
        **{name: _parameter(name, "query", *facts) for name, facts in found.items()},
        "Prefer": _parameter("Prefer", "header", prefer, TEXT),
        # No operation refers to it, since OpenAPI lets the media types of the responses speak for it.
        "Accept": _parameter("Accept", "header", accept, {**TEXT, "default": "*/*"}),
    }


def _form(sure: Sequence[str]) -> dict[str, Any]:
    """``rave.f`` for operations whose results can take these forms."""
    options = ["", *dict.fromkeys(form for each in sure for form in (short_name(each), each))]
    description = "The form of the result: a short name or a media type, in place of the header 'Accept'."
    return _parameter("rave.f", "query", description, {"enum": options})


@lru_cache(maxsize=256)
def _form_name(sure: tuple[str, ...]) -> str:
    return "rave.f." + "-".join(_identifier(short_name(each)) for each in sure)


def _parameter(name: str, place: str, description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "required": False, "description": description, "schema": dict(schema)}


def _identifier(name: str) -> str:
    """A name as an ID: no two names give the same one."""
    return _UNUSUAL.sub(lambda found: "." if found[0] == "/" else f"-{ord(found[0]):x}-", name)
