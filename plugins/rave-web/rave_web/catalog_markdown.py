"""The catalog and descriptions of operations as Markdown, ready to paste into a wiki."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rave_http.hookspecs import Accept, DocumentForm
from rave_web.markdown import MEDIA_TYPE, escaped


def form_of(kind: str, document: Mapping[str, Any], accept: Accept) -> DocumentForm | None:
    """Markdown for a client that asks for it; ``None`` for others, and for products."""
    if not accept.wants("md", "text/markdown"):
        return None
    if kind in ("catalog", "namespace"):
        lines = _listed(document)
    elif kind == "operation":
        lines = _described(document)
    else:
        return None
    return DocumentForm(MEDIA_TYPE, "".join(f"{line}\n" for line in lines).encode())


def _listed(catalog: Mapping[str, Any]) -> Iterator[str]:
    """Each operation with a link to its description."""
    for each in catalog["operations"]:
        yield f"- [{escaped(each['name'])}]({each['links']['self']}): {escaped(each['summary'] or '')}".rstrip(": ")
    if catalog["next"] is not None:
        yield "- … and more"


def _described(operation: Mapping[str, Any]) -> Iterator[str]:
    """The operation, and its parameters as a list."""
    yield f"# {escaped(operation['name'])}"
    if operation["summary"]:
        yield from ("", escaped(operation["summary"]))
    schema = operation["parameters"]
    properties, required = schema.get("properties", {}), schema.get("required", ())
    if properties:
        yield ""
    for name, each in properties.items():
        about = [part for part in (each.get("description", ""), "" if name in required else "optional") if part]
        yield f"- **{escaped(name)}**" + (f": {escaped('; '.join(about))}" if about else "")
