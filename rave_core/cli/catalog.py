"""``rave list`` and ``rave describe``: what can be run."""

from __future__ import annotations

import inspect
from typing import Any, Final

import click
from msgspec.structs import asdict

from rave_core.cli.arguments import OperationName
from rave_core.cli.output import heading, print_facts, print_json, print_table, say
from rave_core.cli.session import current_session
from rave_core.cli.switches import json_option
from rave_core.errors import UnknownNameError, nearest
from rave_core.model import Key, Kind
from rave_core.operations.catalog import Catalog
from rave_core.operations.operation import AnyOperation
from rave_core.plugins.discovery import LoadProblem
from rave_core.storage.listing import entries_of
from rave_core.storage.written import suffix_of
from rave_core.text.humanize import size

_COUNTED: Final = 10_000
_MOST_PARAMETERS: Final = 8


@click.command("list")
@click.argument("namespace", metavar="[NS]", required=False)
@json_option("{operations: [{name, summary, parameters, kind, mime_type, tags}], problems: [{name, origin, error}]}")
def list_operations(namespace: str | None, as_json: bool) -> None:
    """List the installed operations.

    Problems with a namespace go to standard error; the other namespaces are still listed.
    """
    catalog = current_session().catalog
    if namespace is not None and namespace not in catalog.namespaces:
        raise UnknownNameError(_no_namespace(namespace, catalog))
    chosen = [(name, op) for name, op in catalog if namespace is None or name.startswith(f"{namespace}/")]
    if as_json:
        operations = [_summary_document(name, operation) for name, operation in chosen]
        print_json({"operations": operations, "problems": [_problem(p) for p in catalog.problems]})
        return
    if not chosen and namespace is not None:
        click.echo(f"Namespace {namespace!r} has no operations.", err=True)
        return
    if not chosen:
        click.echo(
            "No operations are installed; 'pip install ./plugins/rave-example' in a checkout adds the smallest.",
            err=True,
        )
        return
    rows = [(name, _parameters(operation), _makes(operation), _first_line(operation)) for name, operation in chosen]
    print_table(("OPERATION", "PARAMETERS", "MAKES", "WHAT IT IS"), rows, cut=[1, 3])


def _no_namespace(namespace: str, catalog: Catalog) -> str:
    failed = "".join(f"; {problem}" for problem in catalog.problems if problem.name.partition("/")[0] == namespace)
    return f"no namespace is called {namespace!r}; {nearest(namespace, catalog.namespaces)}{failed}"


def _problem(problem: LoadProblem) -> dict[str, str]:
    return {"name": problem.name, "origin": problem.origin, "error": problem.error}


def _summary_document(name: str, operation: AnyOperation) -> dict[str, Any]:
    spec = operation.spec
    return {
        "name": name,
        "summary": _first_line(operation),
        "parameters": [parameter.name for parameter in spec.parameters],
        "kind": spec.kind,
        "mime_type": spec.mime_type,
        "tags": spec.tags,
    }


def _first_line(operation: AnyOperation) -> str:
    return _prose(operation).partition("\n")[0]


def _prose(operation: AnyOperation) -> str:
    return operation.spec.doc.replace("``", "")


def _parameters(operation: AnyOperation) -> str:
    """The parameters, the first of them if there are many: ``rave describe`` shows all."""
    names = [_parameter(parameter) for parameter in operation.spec.parameters]
    more = len(names) - _MOST_PARAMETERS
    return " ".join(names) or "-" if more < 2 else f"{' '.join(names[:_MOST_PARAMETERS])} … {more} more"


def _parameter(parameter: inspect.Parameter) -> str:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return str(parameter.replace(annotation=parameter.empty))
    return parameter.name if parameter.default is parameter.empty else f"[{parameter.name}]"


def _makes(operation: AnyOperation) -> str:
    """The kind of result, by the usual suffix of its MIME type, which is shorter and better known."""
    spec = operation.spec
    if spec.kind is Kind.DIRECTORY:
        return spec.kind.value
    form = "" if spec.mime_type == "application/octet-stream" else suffix_of(spec.mime_type).removeprefix(".")
    return " ".join(part for part in (form, "file" if spec.kind is Kind.FILE else "") if part) or "value"


@click.command()
@click.argument("operation", metavar="NS/OP", type=OperationName())
@json_option(
    "{name, full_name, doc, signature, parameters: [{name, type, required, default, schema}], kind, mime_type, "
    "expires, version: {strategy, value}, tags, takes, views: [{title, mark, x, y, series, down}], groups, behind, "
    "time_range, cache, entries: {count, bytes, other_versions}}"
)
def describe(operation: str, as_json: bool) -> None:
    """Describe an operation: its parameters, its result, and how long results are kept."""
    found = current_session().catalog.find(operation)
    document = _document(operation, found)
    if as_json:
        print_json(document)
        return
    heading(f"{operation}{document['signature']}")
    if document["doc"]:
        for line in document["doc"].splitlines():
            say(f"  {line}".rstrip())
    if document["parameters"]:
        click.echo()
        rows = [(p["name"], p["type"] or "any", _default(p)) for p in document["parameters"]]
        print_table(("PARAMETER", "TYPE", "DEFAULT"), rows)
    click.echo()
    print_facts(_facts(document))


def _default(parameter: dict[str, Any]) -> str:
    if parameter["required"]:
        return "(required)"
    return "-" if parameter["default"] is None else str(parameter["default"])


def _facts(document: dict[str, Any]) -> list[tuple[str, object]]:
    kept = document["entries"]
    others = f", {kept['other_versions']} of other versions" if kept["other_versions"] else ""
    entries = f"{kept['count']} {'entry' if kept['count'] == 1 else 'entries'}, {size(kept['bytes'])}{others}"
    return [
        ("makes", f"{'a file' if document['kind'] == 'file' else 'a value'}, {document['mime_type']}"),
        ("expires", document["expires"]),
        ("version", f"{document['version']['strategy']} ({document['version']['value']})"),
        ("tags", " ".join(document["tags"]) or "-"),
        *_hints(document),
        ("cache", document["cache"]),
        ("stored", entries),
    ]


def _hints(document: dict[str, Any]) -> list[tuple[str, object]]:
    """What its author says for pages; nothing of what is not said."""
    times = zip(("from ", " to ", ", in steps of "), document["time_range"] or (), strict=False)
    found = (
        ("time", "".join(word + name for word, name in times)),
        ("takes", ", ".join(f"{name}: {role}" for name, role in document["takes"].items())),
        ("charts", "; ".join(map(_chart, document["views"]))),
        ("groups", "; ".join(f"{title}: {', '.join(names)}" for title, names in document["groups"].items())),
        ("behind", document["behind"]),
    )
    return [(name, text) for name, text in found if text]


def _chart(view: dict[str, str]) -> str:
    axes = (f"{name}={view[name]}" for name in ("x", "y", "series", "down") if view[name])
    return f"{view['title']} ({' '.join((view['mark'], *axes))})"


def _document(name: str, operation: AnyOperation) -> dict[str, Any]:
    spec, resolved = operation.spec, operation.resolved()
    return {
        "name": name,
        "full_name": resolved.name,
        "doc": _prose(operation),
        "signature": spec.usage,
        "parameters": [_parameter_document(operation, parameter) for parameter in spec.parameters],
        "kind": spec.kind,
        "mime_type": spec.mime_type,
        "expires": getattr(resolved.strategy, "__name__", None) or repr(resolved.strategy),
        "version": {"strategy": resolved.version_note, "value": resolved.binder.version},
        "tags": spec.tags,
        "takes": spec.hints.takes,
        "views": [asdict(view) for view in spec.hints.views],
        "groups": spec.hints.groups,
        "behind": spec.behind,
        "time_range": spec.time_range,
        "cache": resolved.cache.url,
        "entries": _entries(operation),
    }


def _parameter_document(operation: AnyOperation, parameter: inspect.Parameter) -> dict[str, Any]:
    typemap = operation.spec.typemap
    converter = typemap.converters.get(parameter.name) if typemap is not None else None
    schema = typemap.schema()["properties"].get(parameter.name, {}) if typemap is not None and converter else {}
    variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    has_default = parameter.default is not parameter.empty
    return {
        "name": parameter.name,
        "type": converter.name if converter is not None else None,
        "required": not has_default and not variadic,
        "default": schema.get("default", _plain(parameter.default)) if has_default else None,
        "schema": schema,
    }


def _plain(value: object) -> object:
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def _entries(operation: AnyOperation) -> dict[str, int]:
    resolved = operation.resolved()
    count = bytes_ = others = 0
    for entry in entries_of(resolved.cache, resolved.name, most=_COUNTED):
        count += 1
        bytes_ += entry.size
        others += Key.parse(entry.key).version != resolved.binder.version
    return {"count": count, "bytes": bytes_, "other_versions": others}
