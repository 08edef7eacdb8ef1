"""The pages that people see: the catalog, an operation's form, a ticket, a problem, and the state of the service.

Each function here makes one page from facts and needs nothing of the service. `templating.page` renders the templates.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

import msgspec

from rave_core.clock import SystemClock
from rave_core.operations.operation import Operation
from rave_core.storage.written import suffix_of
from rave_core.text.humanize import span
from rave_http.description.docstrings import prose
from rave_http.description.json_schema import accepts_anything, in_words
from rave_http.description.operation_documents import (
    UNTOLD,
    Operations,
    describe,
    media_types,
    name_behind,
    own_type,
    part,
    search,
)
from rave_http.pages.explore_view import explore_url
from rave_http.pages.forms import GO, Field, form_fields, offered, run_query, run_url, sample_query
from rave_http.pages.snippets import snippets
from rave_http.pages.status_view import JobFacts, StatusFacts, WorkerFacts, status_page, whole
from rave_http.pages.templating import page
from rave_http.protocol.media_types import short_name
from rave_http.protocol.problems import PROBLEMS, Kind
from rave_http.protocol.responses import Page

if TYPE_CHECKING:
    from rave_http.description.request_arguments import Asked
    from rave_http.namespaces.live_catalog import NamespaceState

__all__ = [
    "Field",
    "JobFacts",
    "StatusFacts",
    "WorkerFacts",
    "catalog_page",
    "form_fields",
    "operation_page",
    "problem_kind_page",
    "problem_page",
    "run_query",
    "run_url",
    "status_page",
    "ticket_page",
]

_EXTENSIONS: Final[dict[str, Any]] = dict.fromkeys(
    ("detail", "operation", "result", "kept", "request_id", "traceback"), ""
) | {"available": []}
ROWS: Final = 200
"""Operations in one part of the catalog's page."""
_LONGEST_QUERY: Final = 2000
_LONGEST: Final = 300
"""Characters of an argument that a page about its product shows."""


def catalog_page(
    catalog: Operations,
    *,
    base: str,
    may_view: Callable[[str], bool],
    states: Iterable[NamespaceState] = (),
    namespace: str | None = None,
    text: str = "",
    tag: str = "",
    cursor: str | None = None,
    limit: int = ROWS,
) -> Page:
    """The catalog, with a search; a separate page for one namespace. Long lists come in parts.

    Args:
        catalog: the operations.
        base: the prefix of every link.
        may_view: whether the principal may see the namespace of that name.
        states: how loading the namespaces went; those that may not be seen are left out.
        namespace: only this one.
        text, tag, cursor, limit: what is searched for, and which part of that, as `listing` does.

    Raises:
        Problem: the cursor can't be used.
    """
    seen = [state for state in states if may_view(state.name)]
    found = list(search(catalog, may_view=may_view, namespace=namespace, text=text, tag=tag))
    # A namespace without operations is shown, too, unless something is searched for.
    filled = {name.partition("/")[0] for name, _ in found} if not (text or tag) else {state.name for state in seen}
    empty = [(state.name, None) for state in seen if state.name not in filled and namespace in (None, state.name)]
    rows, following = part([*found, *empty], cursor, limit)
    facts = {
        "base": base,
        "groups": _groups(rows),
        "count": len(found),
        "following": _list_url(base, namespace, text=text, tag=tag, cursor=following) if following else "",
        "first": _list_url(base, namespace, text=text, tag=tag) if cursor else "",
        "spaces": len(filled) + len(empty),
        "states": {state.name: state for state in seen},
        "troubled": [state for state in seen if state.error or state.problems],
        "namespace": namespace,
        "text": text,
        "tag": tag,
        "filtered": bool(text or tag),
    }
    return page("catalog.html" if namespace is None else "namespace.html", **facts)


def _groups(rows: Iterable[tuple[str, Operation[..., Any] | None]]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Operations by namespace; a namespace without operations in ``rows`` appears without any."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for name, operation in rows:
        group = groups.setdefault(name.partition("/")[0], [])
        if operation is not None:
            group.append(_row(name, operation))
    return list(groups.items())


def _list_url(base: str, namespace: str | None, **asked: str) -> str:
    query = urlencode({name: text for name, text in asked.items() if text})
    return f"{base}/{quote(namespace or '')}{'?' if query else ''}{query}"


def operation_page(
    name: str,
    operation: Operation[..., Any],
    *,
    base: str,
    origin: str = "",
    given: Mapping[str, Sequence[str]] | None = None,
    errors: Mapping[str, str] | None = None,
    may_refresh: bool = False,
    forecast: str = "",
    slates: Sequence[str] = (),
) -> Page:
    """An operation: what it does, a form for it, and snippets for programs.

    The form is sent to this page's own address, with ``rave.go`` in it. Its resource then redirects (303) to
    ``run_url(name, run_query(operation, sent), base=base)``.

    Args:
        name: ``namespace/operation``.
        operation: as the catalog has it.
        base: the prefix of every link.
        origin: scheme and host, for examples; not needed where ``base`` has them.
        given: the texts in the form, by parameter.
        errors: what is wrong with it, by parameter.
        may_refresh: whether the principal may refresh its results.
        forecast: what the call would cost, in words; empty if it is no call yet.
        slates: what the user keeps, by name, for parameters that take it.
    """
    fields, groups = offered(form_fields(operation, given, errors), operation, slates), operation.spec.hints.groups
    grouped = {name for names in groups.values() for name in names}
    address = f"{base if '://' in base else origin + base}"
    made = media_types(operation.spec)
    facts = {
        "fields": [field for field in fields if field.name not in grouped],
        "groups": _grouped(fields, groups),
        "form": next(iter((given or {}).get("rave.f", ())), ""),
        "may_refresh": may_refresh,
        "explore": explore_url(base, name, operation.spec.time_range, ()),
        "forecast": forecast,
        "address": address,
        "snippets": snippets(name, fields, sample_query(fields), address=address, suffix=suffix_of(made[0])),
    }
    return page("operation.html", base=base, **_about(name, operation, base), **facts)


def _grouped(fields: Sequence[Field], groups: Mapping[str, Sequence[str]]) -> list[tuple[str, list[Field], bool]]:
    """The groups of a form: titles, fields, and whether something in them must be seen."""
    by_name = {field.name: field for field in fields}
    found = [(title, [by_name[name] for name in names]) for title, names in groups.items()]
    return [
        (title, within, any(field.is_required or field.value or field.error for field in within))
        for title, within in found
    ]


def _about(name: str, operation: Operation[..., Any], base: str) -> dict[str, Any]:
    """The facts of an operation's page that depend on nothing but the operation."""
    spec = operation.spec
    forms = ((short_name(each), each) for each in media_types(spec))
    return {
        "name": name,
        "namespace": name.partition("/")[0],
        "path": quote(name),
        "about": describe(name, operation, base=base),
        "behind": name_behind(name, spec),
        "prose": prose(spec.doc),
        "forms": [(short, kind) for short, kind in forms if short],
        "own": "" if own_type(spec) == UNTOLD else own_type(spec),
        "go": GO,
        "duration": span,
    }


def ticket_page(
    document: Mapping[str, Any], asked: Asked | None, *, seconds: float, base: str, now: float | None = None
) -> Page:
    """The page of a product that is being made; it looks for the product again by itself.

    Args:
        document: the ticket, as JSON has it.
        asked: the call as written, for its arguments.
        seconds: after which it looks again.
        base: the prefix of every link.
        now: Unix seconds.
    """
    created, progress = document.get("created"), document.get("progress")
    moment = SystemClock().now() if now is None else now
    elapsed = max(0.0, moment - datetime.fromisoformat(created).timestamp()) if created else None
    facts = {
        "base": base,
        "ticket": document,
        "result": document.get("links", {}).get("page", document["href"]),
        "arguments": _arguments(asked),
        "seconds": max(1, round(seconds)),
        "elapsed": None if elapsed is None else whole(elapsed),
        "left": _left(progress, elapsed),
        "share": _share(progress),
        "progress": progress,
        "ui": f"{base}/-/ui/{quote(document['operation'])}{_query_of(asked)}",
    }
    return page("ticket.html", **facts)


_BY_FORM: Final = frozenset({"bad-arguments", "refused", "cross-site"})
"""Problems that go away if the arguments are changed, or sent from the form."""


def problem_page(document: Mapping[str, Any], *, base: str, query: str = "") -> Page:
    """A problem for people.

    Args:
        document: the problem as JSON has it. Of its extensions ``available`` (media types), ``operation`` and
            ``result`` (URLs), ``request_id`` and ``traceback`` are shown.
        base: the prefix of every link.
        query: of the request, so that the form of the operation starts with what was wrong.
    """
    slug = str(document.get("type", "")).rpartition("/")[2]
    kind = PROBLEMS.get(slug)
    return page(
        "problem.html",
        base=base,
        problem={**_EXTENSIONS, **document},
        errors=[_wrong(each) for each in document.get("errors", ())],
        slug=slug if kind is not None else "",
        advice=kind.advice if kind is not None else "",
        form=_form_of(str(document.get("instance", "")), query, base) if slug in _BY_FORM else "",
        is_kind=False,
    )


def problem_kind_page(slug: str, kind: Kind, *, base: str) -> Page:
    """What a kind of problem means, and what to do about it."""
    document = _EXTENSIONS | {"title": kind.title, "status": kind.status}
    return page(
        "problem.html", base=base, problem=document, errors=[], slug=slug, advice=kind.advice, form="", is_kind=True
    )


def _wrong(error: Mapping[str, Any]) -> dict[str, str]:
    """One of the errors of a problem; what would be right in words."""
    schema = error.get("schema")
    wanted = in_words(schema) if isinstance(schema, dict) and not accepts_anything(schema) else ""
    return {"parameter": error.get("parameter") or "", "detail": error.get("detail") or "", "wanted": wanted}


def _row(name: str, operation: Operation[..., Any]) -> dict[str, Any]:
    spec = operation.spec
    return {
        "name": name,
        "short": name.partition("/")[2],
        "path": quote(name),
        "summary": prose(spec.doc).summary,
        "parameters": " ".join(map(_shown, spec.parameters)),
        "kind": spec.kind.value,
        "makes": "" if own_type(spec) == UNTOLD else short_name(own_type(spec)),
        "mime_type": spec.mime_type,
        "tags": spec.tags,
    }


def _shown(parameter: inspect.Parameter) -> str:
    """A parameter as a usage line has it."""
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return f"{'*' if parameter.kind is parameter.VAR_POSITIONAL else '**'}{parameter.name}"
    return parameter.name if parameter.default is parameter.empty else f"[{parameter.name}]"


def _arguments(asked: Asked | None) -> list[tuple[str, str]]:
    """The arguments of a call, each as a short text."""
    if asked is None:
        return []
    if asked.document is not None:
        texts = [(name, _plain(value)) for name, value in asked.document.items()]
    else:
        texts = list(asked.texts)
    return [(name, text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…") for name, text in texts]


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _query_of(asked: Asked | None) -> str:
    texts = list(asked.texts) if asked is not None and asked.document is None else []
    return f"?{urlencode(texts)}" if texts and sum(len(text) for _, text in texts) < _LONGEST_QUERY else ""


def _share(progress: Mapping[str, Any] | None) -> float | None:
    """How much of it is done, from 0 to 1; ``None`` if unknown."""
    if not progress or not progress.get("total"):
        return None
    return min(1.0, max(0.0, float(progress["done"]) / float(progress["total"])))


def _left(progress: Mapping[str, Any] | None, elapsed: float | None) -> str:
    """How long it may still take, where that can be guessed."""
    share = _share(progress)
    if share is None or elapsed is None or share < 0.05 or elapsed < 2 or share >= 1:
        return ""
    return whole(elapsed * (1 - share) / share)


def _form_of(path: str, query: str, base: str) -> str:
    """The URL of the form of the operation at a path, if it looks like one."""
    if not path.startswith("/") or path.startswith("/-/") or "/" not in path[1:]:
        return ""
    return f"{base}/-/ui{quote(path)}{'?' if query else ''}{query if len(query) < _LONGEST_QUERY else ''}"
