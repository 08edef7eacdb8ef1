"""Docstrings read as prose: paragraphs, lists, code, sections, and what is said of each parameter.

Understood is what people write: plain paragraphs, lists, indented code, Google's sections (``Args:``), and the
``:param name:`` of reStructuredText. Whatever else is in a docstring stands there as it was written.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final

_SECTION = re.compile(r"(?P<title>[A-Z][A-Za-z ]{1,30}):\s*\Z")
_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s+(?P<text>\S.*)")
_TERM = re.compile(r"(?P<name>\*{0,2}[\w.`, *]{1,80}?)(?:\s*\([^()]*\))?\s*:\s+(?P<text>\S.*)")
_FIELD = re.compile(r":param\s+(?:[^:]*\s)?\*{0,2}(?P<name>\w+):\s*(?P<text>.*)")
_CODE = re.compile(r"``(?P<double>.+?)``|`(?P<single>[^`]+)`", re.DOTALL)
_PARAMETERS: Final = frozenset(
    {"Args", "Arguments", "Parameters", "Keyword Args", "Keyword Arguments", "Other Parameters"}
)


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
        summary: the first line, without marks of code; empty where there is no docstring.
        blocks: what comes behind the first line, but for the section of the parameters.
        parameters: what is said of each, by name, in one line.
    """

    summary: str = ""
    blocks: tuple[Block, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)


@lru_cache(maxsize=1024)
def prose(doc: str) -> Prose:
    """Reads a docstring, as ``inspect.getdoc`` gives it."""
    first, _, rest = doc.strip().partition("\n")
    blocks: list[Block] = []
    parameters: dict[str, str] = {}
    for title, lines in _sections(rest.splitlines()):
        if title in _PARAMETERS:
            parameters |= _parameters(lines)
            continue
        plain, said = _without_fields(lines)
        parameters |= said
        if title:
            blocks.append(Block(BlockKind.HEADING, (spans(title),)))
        blocks.extend(_blocks(plain))
    return Prose(plain_text(first), tuple(blocks), parameters)


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


def _sections(lines: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """The parts of a docstring, each with its title; text outside of a section has an empty one."""
    title, part = "", list[str]()
    for place, line in enumerate(lines):
        found = _SECTION.match(line)
        follows = next((later for later in lines[place + 1 :] if later.strip()), "")
        if found and follows.startswith((" ", "\t")):
            yield title, _dedented(part) if title else part
            title, part = found["title"], []
        elif title and line.strip() and not line.startswith((" ", "\t")):
            yield title, _dedented(part)
            title, part = "", [line]
        else:
            part.append(line)
    yield title, _dedented(part) if title else part


def _dedented(lines: Sequence[str]) -> list[str]:
    return textwrap.dedent("\n".join(lines)).splitlines()


def _parameters(lines: Sequence[str]) -> dict[str, str]:
    """What a section of parameters says of each; ``a, b: text`` says it of both."""
    said: dict[str, list[str]] = {}
    names: list[str] = []
    for line in lines:
        found = None if line.startswith((" ", "\t")) else _TERM.match(line)
        if found:
            names = [name.strip(" *`") for name in found["name"].split(",")]
            said |= {name: [found["text"]] for name in names}
        elif line.strip():
            for name in names:
                said[name].append(line)
    return {name: plain_text(" ".join(texts)) for name, texts in said.items()}


def _without_fields(lines: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The lines without the fields ``:param name: text``, and what these say."""
    plain: list[str] = []
    said: dict[str, str] = {}
    current = ""
    for line in lines:
        found = _FIELD.match(line)
        if found:
            current = found["name"]
            said[current] = found["text"]
        elif current and line.startswith((" ", "\t")):
            said[current] += f" {line}"
        else:
            current = ""
            plain.append(line)
    return plain, {name: plain_text(text) for name, text in said.items()}


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
