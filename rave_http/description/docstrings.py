"""Docstrings parsed as prose: paragraphs, lists, code, sections, and the texts about each parameter and the result.

griffe parses the styles of Google, NumPy and Sphinx. Only this module uses it, and imports it with the first docstring.
Without griffe a docstring is shown as written, and a warning in the log says what to install. All other text in a
docstring stays as written.
"""

from __future__ import annotations

import logging
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from griffe import DocstringSection, DocstringStyle

_log = logging.getLogger("rave.http")

_TITLE: Final = re.compile(r"[A-Z][A-Za-z ]{1,30}:\s*\Z")
_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s+(?P<text>\S.*)")
_CODE = re.compile(r"``(?P<double>.+?)``|`(?P<single>[^`]+)`", re.DOTALL)


class BlockKind(StrEnum):
    """What a block of prose is."""

    TEXT = "text"
    HEADING = "heading"
    LIST = "list"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a text that is all code, or has none."""

    text: str
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, list or piece of code.

    Attributes:
        kind: which of them.
        items: the texts of a list's items; the one text of anything else.
    """

    kind: BlockKind
    items: tuple[tuple[Span, ...], ...]


@dataclass(frozen=True, slots=True)
class Prose:
    """A docstring, read.

    Attributes:
        summary: the first line, without marks of code; empty if there is no docstring.
        blocks: everything after the first line except the section of the parameters.
        parameters: the text about each, by name, in one line.
        returns: the text about the result, in one line; it is in ``blocks`` too.
    """

    summary: str = ""
    blocks: tuple[Block, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    returns: str = ""


@lru_cache(maxsize=1024)
def prose(doc: str) -> Prose:
    """Reads a docstring, as ``inspect.getdoc`` gives it."""
    first, _, rest = doc.strip().partition("\n")
    rest = textwrap.dedent(rest)
    if not rest.strip() or not _has_griffe():
        return Prose(plain_text(first), tuple(_blocks(rest.splitlines())))
    style, sections = _sections(rest)
    blocks: list[Block] = []
    parameters: dict[str, str] = {}
    returns: list[str] = []
    for section in sections:
        if "parameters" in section.kind.value and section.kind.value != "type parameters":
            parameters |= _parameters(section.value)
            continue
        if section.kind.value in ("returns", "yields"):
            returns += (plain_text(_described(item)) for item in section.value)
        blocks += _of_fields(section) if style == "sphinx" else _of_section(section)
    return Prose(plain_text(first), tuple(blocks), parameters, " ".join(returns))


def spans(text: str) -> tuple[Span, ...]:
    """A text in its stretches of code, between backticks, and of none."""
    found: list[Span] = []
    end = 0
    for match in _CODE.finditer(text):
        found += [Span(text[end : match.start()]), Span(match["double"] or match["single"], is_code=True)]
        end = match.end()
    found.append(Span(text[end:]))
    return tuple(span for span in found if span.text)


def plain_text(text: str) -> str:
    """A text without the marks of code, in one line."""
    return " ".join("".join(span.text for span in spans(text)).split())


@cache
def _has_griffe() -> bool:
    if find_spec("griffe") is not None:
        return True
    _log.warning(
        "docstrings are shown as they are written, and parameters without what is said of them: "
        "pip install 'rave-framework[http]' for griffe, which reads them"
    )
    return False


def _sections(text: str) -> tuple[DocstringStyle, list[DocstringSection]]:
    """The style of a docstring, and its sections in that style."""
    from griffe import Docstring, infer_docstring_style

    # The style shows in the lines after the first one, which is already removed.
    parser, _ = infer_docstring_style(Docstring(f"Summary.\n\n{text}"), default="google")
    style: DocstringStyle = parser.value if parser is not None else "google"
    options: dict[str, Any] = {"warnings": False}
    if style == "google":
        options |= {"returns_multiple_items": False, "returns_named_value": False}
        text = _with_empty_lines(text)
    return style, Docstring(text).parse(style, **options)


def _with_empty_lines(text: str) -> str:
    """A docstring with an empty line before each section title, which many authors forget."""
    lines = text.splitlines()
    spaced: list[str] = []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if _TITLE.match(line) and following.startswith((" ", "\t")):
            spaced.append("")
        spaced.append(line)
    return "\n".join(spaced)


def _parameters(items: Sequence[Any]) -> dict[str, str]:
    """The text about each parameter in a section; ``a, b: text`` applies to both."""
    said = {name.strip(" *`"): plain_text(item.description) for item in items for name in item.name.split(",")}
    return {name: text for name, text in said.items() if text}


def _described(item: Any) -> str:
    """The text about an item of a section, with its name or type if it has one."""
    names = [str(each) for each in (getattr(item, "name", ""), item.annotation) if each]
    return f"{' '.join(names)}: {item.description}" if names else str(item.description)


def _of_section(section: DocstringSection) -> Iterator[Block]:
    """A section as a heading and its contents."""
    kind, value = section.kind.value, section.value
    if kind == "text":
        yield from _blocks(value.splitlines())
    elif kind == "admonition":
        yield from _of_admonition(section.title or "", value.annotation or "", value.description)
    else:
        yield Block(BlockKind.HEADING, (spans(section.title or kind.capitalize()),))
        for item in value if isinstance(value, list) else [value]:
            yield from _blocks((item[1] if isinstance(item, tuple) else _described(item)).splitlines())


def _of_admonition(title: str, kind: str, text: str) -> Iterator[Block]:
    """A part with its own title. A lower-case title is a sentence before indented text."""
    if title[:1].islower():
        yield from _blocks([f"{title}:", "", *textwrap.indent(text, "    ").splitlines()])
        return
    is_kind = title.lower().replace(" ", "-").startswith(kind)
    heading = title if is_kind else f"{kind.capitalize()}: {title}"
    yield Block(BlockKind.HEADING, (spans(heading),))
    yield from _blocks(text.splitlines())


def _of_fields(section: DocstringSection) -> Iterator[Block]:
    """A section of Sphinx's style: its fields are shown as they are written."""
    kind, value = section.kind.value, section.value
    if kind == "text":
        yield from _blocks(value.splitlines())
        return
    for item in value:
        named = f":{kind} {item.annotation}:" if kind == "raises" else f":{kind}:"
        yield from _blocks([f"{named} {' '.join(item.description.split())}"])


def _blocks(lines: Sequence[str]) -> Iterator[Block]:
    for chunk in _chunks(lines):
        yield _block(chunk)


def _chunks(lines: Sequence[str]) -> Iterator[list[str]]:
    """The stretches between empty lines; indented ones that follow each other are one, as code is written."""
    chunk: list[str] = []
    empty = 0
    for line in lines:
        if not line.strip():
            empty += bool(chunk)
            continue
        if empty and not (_is_indented(chunk) and line.startswith("  ")):
            yield chunk
            chunk, empty = [], 0
        chunk += [""] * empty + [line]
        empty = 0
    if chunk:
        yield chunk


def _block(chunk: Sequence[str]) -> Block:
    if _is_indented(chunk) or chunk[0].startswith(">>>"):
        return Block(BlockKind.CODE, ((Span(textwrap.dedent("\n".join(chunk)), is_code=True),),))
    if _ITEM.match(chunk[0]):
        return Block(BlockKind.LIST, tuple(spans(" ".join(item.split())) for item in _items(chunk)))
    return Block(BlockKind.TEXT, (spans(" ".join(" ".join(chunk).split()).replace("::", ":")),))


def _items(chunk: Sequence[str]) -> list[str]:
    items: list[str] = []
    for line in chunk:
        found = _ITEM.match(line)
        if found:
            items.append(found["text"])
        else:
            items[-1] += f" {line}"
    return items


def _is_indented(chunk: Sequence[str]) -> bool:
    return bool(chunk) and all(line.startswith("  ") for line in chunk if line) and not _ITEM.match(chunk[0])
