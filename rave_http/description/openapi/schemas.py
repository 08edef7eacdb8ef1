"""The service's documents other than products, each as a JSON Schema under its name."""

from __future__ import annotations

from typing import Any, Final

from rave_http.description.json_schema import Schema
from rave_http.description.openapi.kept_schemas import KEPT_SCHEMAS
from rave_http.description.openapi.saved_paths import SAVED_SCHEMAS
from rave_http.description.openapi.schema_parts import (
    COUNT,
    DURATION,
    FLAG,
    NUMBER,
    TEXT,
    TEXTS,
    TIME,
    by_name,
    list_of,
    or_null,
    record,
    ref,
)
from rave_http.protocol.problems import PROBLEMS

_LINKS: Final = by_name(TEXT)

_TICKET: Final[dict[str, Schema]] = {
    "status": {"type": "string", "examples": ["queued", "making", "ready", "failed", "cancelled", "expired"]},
    "href": {"type": "string", "description": "The URL of the product."},
    "key": {"type": "string", "description": "The name of the product."},
    "operation": TEXT,
    "progress": or_null(ref("Progress")),
    "created": or_null(TIME),
    "links": _LINKS,
}
_TABLE_COLUMN: Final = record(
    "A column.",
    {"name": TEXT, "type": {**TEXT, "description": "Of Arrow."}, "role": TEXT, "unit": TEXT},
    required=["name", "type"],
)
_SUMMARY: Final[dict[str, Schema]] = {
    "name": {"type": "string", "description": "namespace/operation."},
    "summary": {"type": "string", "description": "The first line of its docstring."},
    "kind": {"enum": ["data", "file"]},
    "mime_type": TEXT,
    "tags": TEXTS,
    "links": _LINKS,
}

SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "Problem": record(
        "What went wrong, as RFC 9457 describes it; a kind of problem has more members of its own.",
        {
            "type": {"type": "string", "description": "The URL of a page that tells what it means and what to do."},
            "title": TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string", "description": "What is wrong this time."},
            "instance": {"type": "string", "description": "The path that was asked for."},
            "errors": list_of(ref("ParameterError")),
        },
        required=["type", "title", "status", "detail"],
    ),
    "ParameterError": record(
        "What is wrong with one parameter.",
        {
            "parameter": TEXT,
            "detail": TEXT,
            "schema": {"type": ["object", "boolean"], "description": "The JSON Schema that it has to fit."},
            "pointer": {"type": "string", "description": "Where in a JSON body, as a JSON Pointer."},
        },
        required=["parameter", "detail"],
    ),
    "Progress": record(
        "How far a computation is, in units of its own.",
        {
            "done": NUMBER,
            "total": or_null(NUMBER),
            "text": {"type": "string", "description": "What is being done."},
        },
    ),
    "Ticket": record(
        "The promise of a product: its URL, where it is or will be. Asking again is always safe.",
        _TICKET,
    ),
    "Job": record(
        "A job that makes a product, in whichever workers it is.",
        {
            "key": {"type": ["string", "null"], "description": "The name of the product; null if it is not kept."},
            "operation": TEXT,
            "status": {"type": "string", "examples": ["queued", "making"]},
            "progress": or_null(ref("Progress")),
            "user": {"type": ["string", "null"], "description": "Who asked first: '-' is anonymous, null the service."},
            "is_yours": {**FLAG, "description": "Whether you wait for it."},
            "created": TIME,
            "worker": {
                "type": ["string", "null"],
                "description": "The worker that runs its body; null while none does.",
            },
            "began": or_null(TIME),
            "arguments": {**TEXT, "description": "In a short readable form."},
            "links": _LINKS,
        },
    ),
    "JobList": record(
        "The jobs, the oldest first.",
        {
            "jobs": list_of(ref("Job")),
            "silent": {**by_name(TEXT), "description": "Workers whose jobs are left out, and why."},
        },
    ),
    "Explanation": record(
        "How a call would be answered now, and why.",
        {
            "operation": TEXT,
            "status": {"type": "string", "enum": ["hit", "miss", "refreshed", "stale", "uncached"]},
            "reason": TEXT,
            "key": or_null(TEXT),
            "arguments": by_name(TEXT),
            "made": or_null(TIME),
            "expires": or_null(TIME),
            "computing": {**TEXT, "description": "Who computes it; empty for nobody."},
            "differences": {**TEXTS, "description": "To the nearest result that is kept."},
            "closure": {**by_name(TEXT), "description": "What counts in the version; with the permission 'debug'."},
            "untracked": {**by_name(TEXT), "description": "What does not; with the permission 'debug'."},
            "releases": {**TEXTS, "description": "Of packages, that are others now; with the permission 'debug'."},
        },
    ),
    "Plan": record(
        "What a call would have to run.",
        {
            "operation": TEXT,
            "text": {**TEXT, "description": "The same in words."},
            "seconds": {**or_null(NUMBER), "description": "How long it may take; null if that is not known."},
            "to_run": COUNT,
            "steps": list_of(
                record(
                    "A call.",
                    {
                        "depth": COUNT,
                        "operation": {**or_null(TEXT), "description": "Null if you may not see it."},
                        "arguments": by_name(TEXT),
                        "need": {"type": "string", "enum": ["cached", "run", "shared"]},
                        "seconds": or_null(NUMBER),
                        "basis": TEXT,
                    },
                )
            ),
        },
    ),
    "Rows": record(
        "Rows of a table.",
        {
            "columns": list_of(_TABLE_COLUMN),
            "rows": list_of(
                {"type": "array", "items": {}, "description": "The values of one row, in the order of the columns."}
            ),
            "total": {**COUNT, "description": "The rows of the table."},
            "matching": {**COUNT, "description": "The rows that fulfil all conditions."},
            "facet": {
                "type": ["array", "null"],
                "items": {"type": "array", "items": {}},
                "description": "Pairs of a value and how often it occurs.",
            },
            "page": COUNT,
            "limit": COUNT,
        },
    ),
    "Stopped": record(
        "What became of a job that somebody stopped.",
        {
            "key": TEXT,
            "operation": TEXT,
            "done": {"enum": ["ended", "asked", "left"], "description": "'left': others wait for the product."},
            "detail": TEXT,
        },
    ),
    "OperationSummary": record("An operation, in short.", _SUMMARY),
    "OperationList": record(
        "Some of the operations, by name.",
        {
            "operations": list_of(ref("OperationSummary")),
            "next": {"type": ["string", "null"], "description": "The cursor of the next page, if there is one."},
        },
    ),
    "OperationDescription": record(
        "All that a caller has to know of an operation.",
        {
            **_SUMMARY,
            "doc": TEXT,
            "media_types": {**TEXTS, "description": "What its results can most likely be had as."},
            "expires": {"type": "string", "description": "When its results expire, in words."},
            "version": record("What tells one state of its code from another.", {"strategy": TEXT, "value": TEXT}),
            "stale_while_revalidate": {**NUMBER, "description": "Seconds after expiry."},
            "stale_if_error": {**NUMBER, "description": "Seconds after expiry."},
            "parameters": {"type": "object", "description": "What a call takes: a JSON Schema 2020-12 object."},
        },
    ),
    "Meta": record(
        "What is known of a product, made or not.",
        {
            **_TICKET,
            "arguments": {**by_name(TEXT), "description": "In a short readable form."},
            "version": record("What tells one state of the code from another.", {"strategy": TEXT}),
            "made": TIME,
            "expires": or_null(TIME),
            "seconds": {**NUMBER, "description": "How long computing it took."},
            "size": COUNT,
            "digest": TEXT,
            "mime_type": TEXT,
            "codec": TEXT,
            "children": {**TEXTS, "description": "Keys of the results that it was computed from."},
            "tags": TEXTS,
            "python": TEXT,
            "plugin": TEXT,
            "failed": record("How it failed.", {"detail": TEXT, "at": TIME}),
        },
        required=list(_TICKET),
    ),
    "LoadProblem": record("What is wrong with a part of a namespace.", {"name": TEXT, "origin": TEXT, "error": TEXT}),
    "Namespace": record(
        "A collection of operations.",
        {
            "name": TEXT,
            "kind": {"type": "string", "examples": ["installed", "directory"]},
            "origin": {"type": "string", "description": "The package or directory that it was loaded from."},
            "generation": {"type": "integer", "description": "Counts how often it was loaded."},
            "loaded": TIME,
            "operations": TEXTS,
            "problems": list_of(ref("LoadProblem")),
            "error": {"type": ["string", "null"], "description": "Why its latest change could not be loaded."},
            "failed": or_null(TIME),
        },
        required=["name"],
    ),
    "NamespaceList": record("The namespaces.", {"namespaces": list_of(ref("Namespace"))}),
    "Reloaded": record(
        "A namespace after it was loaded anew.",
        {"namespace": TEXT, "workers": {"type": "object", "description": "Its state in each worker."}},
    ),
    "OperationFacts": record("What is stored of one operation.", {"entries": COUNT, "bytes": COUNT, "seconds": NUMBER}),
    "CacheFacts": record(
        "What is kept.",
        {
            "caches": {"type": "object", "description": "Each cache in numbers."},
            "operations": by_name(
                record("What is stored of one.", {"entries": COUNT, "bytes": COUNT, "seconds": NUMBER})
            ),
        },
    ),
    "PurgeRequest": record(
        "What to purge: all that fits every one of these; with none of them, what has expired.",
        {
            "namespace": TEXT,
            "operation": {"type": "string", "description": "namespace/operation."},
            "version": TEXT,
            "older_than": {
                "type": "string",
                "pattern": DURATION,
                "description": "A duration since it was made.",
                "examples": ["90s", "2h", "7d"],
            },
            "dry_run": {
                "anyOf": [{"type": "boolean"}, {"type": "string", "enum": ["true", "false"]}],
                "description": "Only count what would go.",
            },
        },
        required=[],
        is_open=False,
    ),
    "PinRequest": record(
        "Whether the results of an operation are evicted.",
        {
            "operation": {"type": "string", "description": "namespace/operation."},
            "pinned": {"anyOf": [FLAG, {"type": "string", "enum": ["true", "false"]}]},
        },
        is_open=False,
    ),
    "PinList": record("Operations whose results are not evicted.", {"pins": TEXTS}),
    "Pinned": record("What was set.", {"operation": TEXT, "pinned": FLAG}),
    "PurgeReport": record("What was purged.", {"removed": COUNT, "bytes": COUNT, "dry_run": FLAG}),
    "Health": record(
        "Whether the service answers, and what of it does not work as it should.",
        {
            "status": {"type": "string", "examples": ["ok", "degraded", "stopping"]},
            "degraded": TEXTS,
            "parts": {"type": ["object", "null"], "description": "Each part by name; with the permission 'debug'."},
        },
        required=["status"],
    ),
    "Version": record("What runs here.", {"rave": TEXT, "python": TEXT}),
    "Statistics": {"type": "object", "description": "Namespaces of logging.statistics, each an object."},
    "StatisticsSwitch": {
        **record(
            "Collection in a namespace of statistics, to be paused or resumed.",
            {"pause": {**TEXT, "minLength": 1}, "resume": {**TEXT, "minLength": 1}},
            required=[],
            is_open=False,
        ),
        "minProperties": 1,
        "maxProperties": 1,
    },
    "StatisticsState": record("Whether a namespace of statistics collects.", {"name": TEXT, "enabled": FLAG}),
    "LogLevels": record("The loggers with a level of their own.", {"levels": {"type": "object"}}),
    "LogLevel": record(
        "The level of a logger, to be set; DEFAULT takes it back.",
        {
            "logger": {**TEXT, "minLength": 1, "maxLength": 200},
            "level": {"enum": ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "DEFAULT"]},
        },
        required=["logger", "level"],
        is_open=False,
    ),
    "LogLevelSet": record("What was set.", {"logger": TEXT, "level": TEXT, "silent": TEXTS}),
    "SlateRecord": record("What is known of a document of a user.", {"name": TEXT, "etag": TEXT, "modified": TEXT}),
    "SlateList": record(
        "What a user keeps.", {"user": TEXT, "documents": {"type": "array", "items": ref("SlateRecord")}}
    ),
    "SignIn": record("How to sign in.", {"key": TEXT, "action": TEXT}, required=[], is_open=False),
    "SignedIn": record(
        "Who asks.",
        {"user": {"type": ["string", "null"]}, "kind": TEXT, "expires": {"type": ["string", "null"]}},
    ),
    **KEPT_SCHEMAS,
    **SAVED_SCHEMAS,
    "ProblemKind": record(
        "A kind of problem.",
        {"slug": TEXT, "title": TEXT, "status": COUNT, "advice": {"type": "string", "description": "What to do."}},
    ),
}
"""The documents by name."""

SLUGS: Final = tuple(sorted(PROBLEMS))
"""The kinds of problems."""
