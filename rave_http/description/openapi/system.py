"""The paths of the system: everything but the operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rave_http.description.openapi.answers import HTML, answer, part, problems, product
from rave_http.description.openapi.schema_parts import TEXT, ref
from rave_http.description.openapi.schemas import SLUGS
from rave_http.description.openapi.user_paths import user_paths
from rave_http.description.operation_documents import CURSOR, MOST_LISTED

TAG: Final = "-"
"""The tag of these paths; no namespace can have this name."""

_ACCESS: Final = (401, 403, 404)
_SPANS: Final = "It may hold slashes, which stand in the path as they are."
SHOJI: Final = "application/shoji+json"
_EVENTS: Final = "text/event-stream"
_METRICS: Final = ("text/plain", "application/openmetrics-text")


def system_paths() -> dict[str, dict[str, Any]]:
    """The path items, by path."""
    return {
        "/": {"get": _list_operations("getCatalog", "The catalog: what can be asked.")},
        "/{ns}": {
            "parameters": [ref("Namespace", "parameters")],
            "get": _list_operations("getNamespace", "The operations of one namespace."),
        },
        "/-/ops": {"get": _list_operations("listOperations", "The operations, by name.", has_namespace=True)},
        "/-/ops/{ns}/{op}": {
            "parameters": [ref("Namespace", "parameters"), ref("Operation", "parameters")],
            "get": _describe(),
        },
        **_forecasts(),
        **_products(),
        **_administration(),
        **_state(),
        "/-/events": {"get": _events()},
        "/-/log": _log(),
        **user_paths(),
        "/-/openapi.json": {"get": _document()},
        "/-/problems/{slug}": {
            "parameters": [_path("slug", "A kind of problem.", {"enum": list(SLUGS)})],
            "get": _read("describeProblem", "What a kind of problem means, and what to do.", ref("ProblemKind"), HTML),
        },
    }


def _describe() -> dict[str, Any]:
    found = _read("describeOperation", "What a caller has to know of it.", ref("OperationDescription"), SHOJI)
    return found | {"parameters": [_form(["json", "application/json", "shoji", SHOJI])]}


def _forecasts() -> dict[str, dict[str, Any]]:
    texts = {"type": "object", "additionalProperties": TEXT}
    arguments = _query("arguments", "The arguments, by name, as for the operation.", texts)
    names = [ref("Namespace", "parameters"), ref("Operation", "parameters")]
    found = {}
    for word, summary in (("explain", "Why a call would hit or miss."), ("plan", "What a call would cost.")):
        schema = ref("Explanation" if word == "explain" else "Plan")
        get = _read(f"{word}Call", summary, schema, errors=(429, 500, 503, 504))
        style = {"style": "form", "explode": True}
        found[f"/-/{word}/{{ns}}/{{op}}"] = {"parameters": names, "get": get | {"parameters": [arguments | style]}}
    return found


def _document() -> dict[str, Any]:
    found = _read("getOpenapi", "This document.", {"type": "object"})
    found["responses"] = dict(sorted({**found["responses"], "304": ref("NotModified", "responses")}.items()))
    return found


def path_parameters() -> dict[str, dict[str, Any]]:
    """The parameters that these paths refer to."""
    return {
        "Namespace": _path("ns", "The name of a namespace.", TEXT),
        "Operation": _path("op", f"The name of an operation in its namespace. {_SPANS}", TEXT),
        "Key": _path("key", f"The name of a product, as in its ticket: operation/version/arguments. {_SPANS}", TEXT),
    }


def _products() -> dict[str, dict[str, Any]]:
    key = [ref("Key", "parameters")]
    meta = _read("getProductMeta", "What is recorded of a product.", ref("Meta"), errors=(410, 500, 503))
    events = _operation(
        "watchProduct",
        "The progress of a product, as server-sent events until it is there.",
        {"200": answer("Events.", None, _EVENTS), **problems(*_ACCESS, 400, 410, 500, 503)},
    )
    delete = _operation(
        "purgeProduct",
        "Purges a product.",
        {"204": answer("It was purged.", None), **problems(*_ACCESS, 400, 409, 412, 500, 503)},
    )
    stop = _operation(
        "cancelJob",
        "Stops the job that makes a product, unless others wait for it.",
        {"200": answer("What became of the job.", ref("Stopped")), **problems(*_ACCESS, 400, 412, 500, 503)},
    )
    return {
        "/-/products/{key}": {"parameters": key, "get": _product(), "delete": delete},
        "/-/products/{key}/job": {"parameters": key, "delete": stop},
        "/-/products/{key}/meta": {"parameters": key, "get": meta},
        "/-/products/{key}/rows": {"parameters": key, "get": _rows()},
        "/-/products/{key}/events": {"parameters": key, "get": events},
    }


def _product() -> dict[str, Any]:
    found = {
        "200": product("The product.", ["*/*"]),
        "202": ref("Ticket", "responses"),
        "206": part(["*/*"]),
        "304": ref("NotModified", "responses"),
        **problems(*_ACCESS, 400, 406, 409, 410, 412, 416, 422, 429, 500, 503, 504),
    }
    get = _operation("getProduct", "What a ticket promises: the product, or how far it is.", found)
    description = "It has the forms that its operation gives, chosen by 'rave.f' or 'Accept' as there."
    digest = _query("rave.digest", "Only the result of this digest; 410 if it is another one by now.", TEXT)
    return get | {"description": description, "parameters": [ref("Prefer", "parameters"), digest]}


def _rows() -> dict[str, Any]:
    texts = {"type": "array", "items": TEXT}
    forms = (
        "text/html",
        "text/csv",
        "application/x-ndjson",
        "application/vnd.apache.arrow.stream",
        "application/vnd.apache.parquet",
    )
    found = {
        "200": answer("The rows.", ref("Rows"), *forms),
        "302": {"description": "The product shows a table: these are the table's rows."},
        **problems(*_ACCESS, 400, 406, 409, 410, 422, 429, 500, 503, 504),
    }
    parameters = [
        _query("where", "Conditions such as 'bytes>=1000' or 'name~web'; all have to hold.", texts),
        _query("sort", "Columns; a minus before one puts the largest first.", texts),
        _query("columns", "Only these columns.", texts),
        _query("facet", "A column whose most frequent values are counted, for JSON.", TEXT),
        _query("page", "From 1 on.", {"type": "integer", "minimum": 1, "maximum": 10**9}),
        _query("limit", "Rows in a page.", {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 100}),
    ]
    return _operation("getRows", "Rows of a product that is a table.", found) | {"parameters": parameters}


def _administration() -> dict[str, dict[str, Any]]:
    reload = _operation(
        "reloadNamespace",
        "Loads a namespace that is a directory anew, now, in every worker.",
        {"200": answer("How it is afterwards.", ref("Reloaded")), **problems(*_ACCESS, 400, 409, 412, 500, 503)},
    )
    purge = "Purges results by namespace, operation, version and age."
    return {
        "/-/jobs": {"get": _read("listJobs", "The jobs that are under way, in all workers.", ref("JobList"))},
        "/-/cache": {"get": _read("getCache", "What is stored, by operation.", ref("CacheFacts"))},
        "/-/cache/purge": {"post": _change("purgeCache", purge, "PurgeRequest", "PurgeReport")},
        "/-/cache/pins": {
            "get": _read("listPins", "Operations whose results are not evicted.", ref("PinList")),
            "post": _change(
                "pinOperation", "Pins an operation, or unpins it.", "PinRequest", "Pinned", needs_body=True
            ),
        },
        "/-/namespaces": {"get": _read("listNamespaces", "The namespaces, and how they loaded.", ref("NamespaceList"))},
        "/-/namespaces/{ns}/reload": {"parameters": [ref("Namespace", "parameters")], "post": reload},
    }


def _state() -> dict[str, dict[str, Any]]:
    ready = _read("isReady", "Whether requests should be sent here.", ref("Health"))
    ready["responses"]["503"] = answer("Not now.", ref("Health"), "application/problem+json", HTML)
    metrics = _operation(
        "getMetrics",
        "Metrics for Prometheus, of all workers; they name all operations.",
        {"200": answer("Metrics.", None, *_METRICS), **problems(*_ACCESS, 400, 406, 500, 503)},
    )
    return {
        "/-/livez": {"get": _read("isAlive", "Whether the service answers at all.", ref("Health"))},
        "/-/readyz": {"get": ready},
        "/-/metrics": {"get": metrics},
        "/-/statistics": {
            "get": _read("getStatistics", "What programs count in logging.statistics.", ref("Statistics"), HTML),
            "post": _change(
                "switchStatistics",
                "Pauses or resumes collection, in every worker.",
                "StatisticsSwitch",
                "StatisticsState",
                needs_body=True,
            ),
        },
        "/-/version": {"get": _read("getVersion", "What runs here.", ref("Version"))},
    }


def _log() -> dict[str, Any]:
    setting = "Sets the level of a logger, in every worker."
    return {
        "get": _read("getLogLevels", "The levels of loggers.", ref("LogLevels")),
        "post": _change("setLogLevel", setting, "LogLevel", "LogLevelSet", needs_body=True),
    }


def _events() -> dict[str, Any]:
    events = _operation(
        "watchEvents",
        "What happens from now on, as server-sent events; only what you may view.",
        {"200": answer("Events.", None, _EVENTS), **problems(*_ACCESS, 400, 406, 500, 503)},
    )
    words = "Only topics that match: '*' stands for any text. May be given several times."
    topic = _query("topic", words, {"type": "string", "pattern": r"^[a-z0-9_.*-]{1,100}$"})
    return events | {"parameters": [topic]}


def _list_operations(identifier: str, summary: str, *, has_namespace: bool = False) -> dict[str, Any]:
    limit = {"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": 100}
    parameters = [
        _query("text", "Only operations that have all these words in name, docstring or tags.", TEXT),
        _query("tag", "Only operations with this tag.", TEXT),
        _query("cursor", "'next' of the page before.", {"type": "string", "pattern": CURSOR}),
        _query("limit", "The most operations in one page.", limit),
    ]
    forms = ["json", "application/json", "shoji", SHOJI]
    if has_namespace:
        parameters.insert(0, _query("namespace", "Only this namespace.", TEXT))
    else:
        forms += ["html", HTML]
    parameters.append(_form(forms))
    return _read(identifier, summary, ref("OperationList"), HTML, SHOJI) | {"parameters": parameters}


def _form(forms: Sequence[str]) -> dict[str, Any]:
    words = "The form of the document: a short name or a media type, in place of the header 'Accept'."
    return _query("rave.f", words, {"enum": ["", *forms]})


def _read(
    identifier: str, summary: str, schema: Mapping[str, Any], *others: str, errors: Sequence[int] = (500, 503)
) -> dict[str, Any]:
    """A GET that gives a document."""
    found = {"200": answer(summary, schema, *others), **problems(*_ACCESS, 400, 406, *errors)}
    return _operation(identifier, summary, found)


def _change(identifier: str, summary: str, asked: str, told: str, *, needs_body: bool = False) -> dict[str, Any]:
    """A POST of one document, or of a form with its members, that is answered by another."""
    found = {"200": answer(summary, ref(told)), **problems(*_ACCESS, 400, 409, 412, 413, 415, 500, 503)}
    content = {kind: {"schema": ref(asked)} for kind in ("application/json", "application/x-www-form-urlencoded")}
    return _operation(identifier, summary, found) | {"requestBody": {"required": needs_body, "content": content}}


def _operation(identifier: str, summary: str, responses: Mapping[str, Any]) -> dict[str, Any]:
    found = {"operationId": identifier, "summary": summary, "tags": [TAG]}
    return {**found, "responses": dict(sorted(responses.items()))}


def _path(name: str, description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": description, "schema": dict(schema)}


def _query(name: str, description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": dict(schema)}
