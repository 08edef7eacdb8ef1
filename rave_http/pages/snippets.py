"""Snippets to copy: the query of a form as a program sends it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from rave_http.pages.forms import Control, Field


@dataclass(frozen=True, slots=True)
class Snippet:
    """A way to ask.

    Attributes:
        title: what it is for.
        before, url, after: the text in three parts, so that a script can put another URL in its middle.
    """

    title: str
    before: str
    url: str = ""
    after: str = ""


def snippets(
    name: str, fields: Sequence[Field], query: Sequence[tuple[str, str]], *, address: str, suffix: str
) -> list[Snippet]:
    """How to ask the operation ``name`` with curl, with rave-get, and in Python.

    Args:
        name: ``namespace/operation``.
        fields: of its form.
        query: the query of the form.
        address: of the service, with its prefix.
        suffix: what files of the result end in, with its dot.
    """
    # An apostrophe would end the quotes of a shell.
    url = f"{address}/{quote(name)}{'?' if query else ''}{urlencode(query)}".replace("'", "%27")
    file = f"{_file_name(name)}{suffix}"
    return [
        Snippet("curl", "curl -L '", url, f"' -o {file}"),
        Snippet("rave-get", "rave-get '", url, f"' -o {file}"),
        Snippet("Python", _python(name, fields, query, address, file)),
    ]


def _python(name: str, fields: Sequence[Field], query: Sequence[tuple[str, str]], address: str, file: str) -> str:
    arguments = [_quoted(name), _quoted(file), *_arguments(fields, query)]
    return (
        "from rave_http.client import Client\n\n"
        f"with Client({_quoted(address)}) as client:\n"
        f"    client.fetch({', '.join(arguments)})"
    )


def _arguments(fields: Sequence[Field], query: Sequence[tuple[str, str]]) -> Iterator[str]:
    known = {field.name: field for field in fields}
    given: dict[str, list[str]] = {}
    for name, text in query:
        given.setdefault(name, []).append(text)
    for name, texts in given.items():
        field = known.get(name)
        is_list = len(texts) > 1 or (field is not None and field.control is Control.LINES)
        value = f"[{', '.join(map(_quoted, texts))}]" if is_list else _literal(texts[0], field)
        yield f"{name}={value}" if name.isidentifier() else f"**{{{name!r}: {value}}}"


def _literal(text: str, field: Field | None) -> str:
    if field is not None and field.type == "number":
        return text
    words = {"true": "True", "false": "False"} if field is not None and field.choices else {}
    return words.get(text) or _quoted(text)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _file_name(name: str) -> str:
    last = name.rpartition("/")[2]
    return "".join(each if each.isascii() and (each.isalnum() or each in "-_") else "-" for each in last)
