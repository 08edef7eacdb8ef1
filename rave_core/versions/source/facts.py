"""Facts: what a source says about its definitions, found once per content, and only for requested ones."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import CodeType, MappingProxyType
from typing import Any, TypeAlias, TypeVar

from msgspec import DecodeError, Raw, Struct
from msgspec.json import Decoder
from msgspec.structs import replace

from rave_core.versions.source.bytecode import code_digest, place_of
from rave_core.versions.source.load_acts import (
    ActingStatement,
    ImportedName,
    acting_inside,
    acting_statements,
    imports_of,
    is_call_on,
    makers,
    module_statements,
    names_imported,
    statements_inside,
    without_blocks,
)
from rave_core.versions.source.names import Chain, ReachedNames, names_of
from rave_core.versions.source.normal_form import FUNCTIONS, normal_form
from rave_core.versions.source.outline import Parsed, SourceOutline, top_statements
from rave_core.versions.source.tokens import digest_of


class Decorator(Struct, frozen=True, array_like=True):
    """A decorator of a function.

    Attributes:
        chain: what it names or calls, as a chain; empty for any other expression.
        digest: of its normal form and its place.
        names: the names that its expression uses.
        is_own: whether it is on the definition itself rather than on a function inside it.
    """

    chain: Chain
    digest: str
    names: ReachedNames
    is_own: bool


class Definition(Struct, frozen=True, array_like=True):
    """A function, a class, a statement or a whole module, in normal form.

    Attributes:
        code: the digest of what always counts.
        docs, annotations: digests of docstrings and of the annotations of functions, empty if there are none.
        names: the names that it uses.
        decorators: those of its functions, and of itself where it is a class.
    """

    code: str
    docs: str
    annotations: str
    names: ReachedNames
    decorators: tuple[Decorator, ...] = ()


_T = TypeVar("_T")
_Span: TypeAlias = tuple[int, int, int, int]
"""The first line and column of a definition, and the last ones."""

_DEFINITION: Decoder[Definition | None] = Decoder(Definition | None)
_TEXTS = Decoder(list[str])
_SPANS = Decoder(list[_Span])
_IMPORTS = Decoder(list[ImportedName])
_MAKERS = Decoder(dict[str, Chain])
_ACTING = Decoder(list[ActingStatement])
_OUTLINE = Decoder(SourceOutline)


class Facts:
    """The facts of one source. Used under the lock of `Sources`.

    Attributes:
        source: its bytes.
        is_cell: whether it is a cell of a notebook.
        has_news: whether more was found than was stored.
    """

    def __init__(
        self, source: bytes, filename: str, is_cell: bool, stored: Mapping[str, Raw] = MappingProxyType({})
    ) -> None:
        self.source = source
        self._filename = filename
        self.is_cell = is_cell
        self.has_news = False
        self._stored = stored
        self._found: dict[str, Any] = {}
        self._parsed: Parsed | None = None
        self._is_broken = False
        self._imported: dict[str, tuple[str, ...]] = {}

    @property
    def found(self) -> dict[str, Any]:
        """All that is known so far, for `FactsStore`."""
        return {**self._stored, **self._found}

    @property
    def is_broken(self) -> bool:
        """Whether Python can't compile the source."""
        return not self._stored and not self._found and self._parse() is None

    def function(self, code: CodeType) -> Definition | None:
        """The definition of loaded code; ``None`` if this source is not what it was compiled from."""
        key = place_of(code)
        compiled = self._fact(f"codes {key}", _TEXTS, lambda parsed: parsed.digests(key))
        if not compiled or code_digest(code) not in compiled:
            return None
        spans = self._fact(f"spans {key}", _SPANS, lambda parsed: list(map(_span, parsed.functions.get(key, [])))) or []
        if len(spans) == 1:
            return self._definition(f"def {key}", lambda parsed: parsed.functions.get(key, []))
        number = _which(code, spans)
        if number is not None:
            return self._definition(f"def {key} {number}", lambda parsed: [parsed.functions[key][number]])
        every = self._definition(f"def {key}", lambda parsed: parsed.functions.get(key, []))
        return every and replace(every, code=digest_of(every.code, sys.implementation.cache_tag, code_digest(code)))

    def class_(self, qualname: str) -> Definition | None:
        """The statement of a class; ``None`` if there is none."""
        return (
            self._definition(f"class {qualname}", lambda parsed: [parsed.classes[qualname]])
            if (qualname in self.outline.classes)
            else None
        )

    def assigned(self, name: str) -> Definition | None:
        """The statements of the module that bind or change a name, definitions too; ``None`` if there are none."""
        return self._definition(f"name {name}", lambda parsed: _binding(parsed.tree, name))

    def module(self) -> Definition | None:
        """All of it."""
        return self._definition("module", lambda parsed: [parsed.tree])

    def imported(self, package: str) -> tuple[str, ...]:
        """What the module imports while it loads, in order, with the packages around: names, some not of modules.

        Args:
            package: the one that the module is in, which its relative imports begin in.
        """
        if package not in self._imported:
            imports = self._fact("imports", _IMPORTS, lambda parsed: imports_of(parsed.tree)) or ()
            self._imported[package] = tuple(dict.fromkeys(names_imported(package, imports)))
        return self._imported[package]

    @property
    def acting_statements(self) -> list[ActingStatement]:
        """The statements of the module that call or change anything, in order."""
        return self._fact("acting", _ACTING, lambda parsed: acting_statements(parsed.tree)) or []

    @property
    def makers(self) -> dict[str, Chain]:
        """What is called to make the values of names of the module, as chains."""
        return self._fact("makers", _MAKERS, lambda parsed: makers(parsed.tree)) or {}

    def statement(self, number: int) -> Definition | None:
        """One of the acting statements."""
        return self._definition(f"statement {number}", lambda parsed: [module_statements(parsed.tree)[number][0]])

    def acting_inside(self, code: CodeType) -> list[ActingStatement]:
        """The statements of a function of the module that call or change anything, in order."""
        key = place_of(code)
        return self._fact(f"acting {key}", _ACTING, lambda parsed: acting_inside(parsed.functions.get(key, []))) or []

    def statement_inside(self, code: CodeType, number: int) -> Definition | None:
        """One of them, without its blocks."""
        key = place_of(code)
        return self._definition(
            f"statement {key} {number}",
            lambda parsed: [without_blocks(statements_inside(parsed.functions[key])[number][0])],
        )

    @property
    def outline(self) -> SourceOutline:
        """Its outline; an empty one if it can't be compiled."""
        return self._fact("outline", _OUTLINE, Parsed.outline) or SourceOutline()

    def _definition(self, key: str, nodes: Callable[[Parsed], list[Any]]) -> Definition | None:
        return self._fact(key, _DEFINITION, lambda parsed: _definition_of(nodes(parsed)))

    def _fact(self, key: str, decoder: Decoder[_T], make: Callable[[Parsed], _T]) -> _T | None:
        """A fact: as it was found or stored before, or made now; ``None`` if the source can't be compiled."""
        if key not in self._found:
            stored = self._stored.get(key)
            if stored is not None:
                with suppress(DecodeError, UnicodeDecodeError):  # then it is made again
                    self._found[key] = decoder.decode(stored)
        if key not in self._found:
            parsed = self._parse()
            if parsed is None:
                return None
            self._found[key] = make(parsed)
            self.has_news = True
        found: _T = self._found[key]
        return found

    def _parse(self) -> Parsed | None:
        if self._parsed is None and not self._is_broken:
            try:
                self._parsed = Parsed(self.source, self._filename, self.is_cell)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                self._is_broken = True
        return self._parsed

    def rest(self) -> None:
        """Releases the syntax tree; a later request makes it again if necessary."""
        self._parsed = None


def _span(node: Any) -> _Span:
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset


def _which(code: CodeType, spans: list[_Span]) -> int | None:
    """The function that code was compiled from, among those on one line; ``None`` if the code has no positions."""
    within = []
    for line, end_line, column, end_column in code.co_positions():
        if line is None or end_line is None or column is None or end_column is None or not end_column:
            continue
        within.append((line, column, end_line, end_column))
    found = [
        number
        for number, (line, column, end_line, end_column) in enumerate(spans)
        if within and all((line, column) <= each[:2] and each[2:] <= (end_line, end_column) for each in within)
    ]
    return found[0] if len(found) == 1 else None


def _binding(tree: ast.Module, name: str) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for statement in top_statements(tree.body):
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            continue
        if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
            found += [statement] if statement.name == name else []
            continue
        names = names_of(statement)
        is_changed = any(chain[0] == name for chain in names.changes)
        if name in names.stores or is_changed or is_call_on(statement, name):
            found.append(statement)
    return found


def _definition_of(nodes: list[Any]) -> Definition | None:
    """The definition of nodes. Of two functions that begin on one line, a change of either changes both."""
    if not nodes:
        return None
    statements = nodes[0].body if isinstance(nodes[0], ast.Module) else nodes
    form, names = normal_form(*statements), names_of(*statements)
    own = [each for node in nodes for each in getattr(node, "decorator_list", ())]
    decorators = [_decorator(node, digest, node in own) for node, digest in form.decorators]
    if isinstance(nodes[0], ast.ClassDef):  # whose own stand in its normal form, and are called while it is made
        decorators += [_decorator(node, "", True) for node in own]
    return Definition(form.code, form.docs, form.annotations, names, tuple(decorators))


def _decorator(node: ast.expr, digest: str, is_own: bool) -> Decorator:
    return Decorator(_chain_of(node), digest, names_of(node), is_own)


def _chain_of(node: ast.expr) -> Chain:
    chain: list[str] = []
    while isinstance(node, (ast.Call, ast.Attribute)):
        if isinstance(node, ast.Call):
            node = node.func
        else:
            chain.insert(0, node.attr)
            node = node.value
    return (node.id, *chain) if isinstance(node, ast.Name) else ()
