"""Facts: what a source says about its definitions, found once per content, and only for requested ones."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, replace
from types import CodeType
from typing import Any

from rave_core.versions.source.bytecode import code_digest, place_of
from rave_core.versions.source.load_acts import (
    Act,
    ActingStatement,
    acting_statements,
    acts_inside,
    imports_of,
    is_call_on,
    makers,
    module_statements,
    names_imported,
)
from rave_core.versions.source.names import Chain, ReachedNames, names_of
from rave_core.versions.source.normal_form import FUNCTIONS, normal_form
from rave_core.versions.source.outline import Parsed, SourceOutline, top_statements
from rave_core.versions.source.tokens import digest_of


@dataclass(frozen=True, slots=True)
class Decorator:
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


@dataclass(frozen=True, slots=True)
class Definition:
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


class Facts:
    """The facts of one source. Used under the lock of `Sources`.

    Attributes:
        source: its bytes.
        is_cell: whether it is a cell of a notebook.
        record: what was found so far, as JSON has it.
        has_news: whether more was found than ``record`` had at first.
    """

    def __init__(self, source: bytes, filename: str, is_cell: bool, record: dict[str, Any] | None = None) -> None:
        self.source = source
        self._filename = filename
        self.is_cell = is_cell
        self.record: dict[str, Any] = record if record is not None else {}
        self.has_news = False
        self._parsed: Parsed | None = None
        self._is_broken = False
        self._definitions: dict[str, Definition | None] = {}
        self._outline: SourceOutline | None = None
        self._acting: list[ActingStatement] | None = None
        self._imported: dict[str, tuple[str, ...]] = {}

    @property
    def is_broken(self) -> bool:
        """Whether Python can't compile the source."""
        return self._parse() is None if not self.record else False

    def function(self, code: CodeType) -> Definition | None:
        """The definition of loaded code; ``None`` if this source is not what it was compiled from."""
        key = place_of(code)
        compiled = self._kept(f"codes {key}", lambda parsed: parsed.digests(key))
        if not compiled or code_digest(code) not in compiled:
            return None
        spans = self._kept(f"spans {key}", lambda parsed: list(map(_span, parsed.functions.get(key, []))))
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
            imports = self._kept("imports", lambda parsed: imports_of(parsed.tree)) or ()
            self._imported[package] = tuple(dict.fromkeys(names_imported(package, imports)))
        return self._imported[package]

    @property
    def acting_statements(self) -> list[ActingStatement]:
        """The statements of the module that call or change anything, in order."""
        if self._acting is None:
            data = self._kept("acting", lambda parsed: [each.to_json() for each in acting_statements(parsed.tree)])
            self._acting = list(map(ActingStatement.from_json, data or ()))
        return self._acting

    @property
    def makers(self) -> dict[str, list[str]]:
        """What is called to make the values of names of the module, as chains."""
        return self._kept("makers", lambda parsed: makers(parsed.tree)) or {}

    def statement(self, number: int) -> Definition | None:
        """One of the acting statements."""
        return self._definition(f"statement {number}", lambda parsed: [module_statements(parsed.tree)[number][0]])

    def acts_inside(self, code: CodeType) -> list[Act]:
        """What a function of the module does when it is called."""
        key = place_of(code)
        data = self._kept(f"acts {key}", lambda parsed: _acts_json(parsed.functions.get(key, [])))
        return list(map(Act.from_json, data or ()))

    @property
    def outline(self) -> SourceOutline:
        """Its outline; an empty one if it can't be compiled."""
        if self._outline is None:
            data = self._kept("outline", lambda parsed: _outline_json(parsed.outline()))
            self._outline = SourceOutline(**data) if data else SourceOutline()
        return self._outline

    def _definition(self, key: str, nodes: Any) -> Definition | None:
        if key not in self._definitions:
            data = self._kept(key, lambda parsed: _json_of(nodes(parsed)))
            self._definitions[key] = _from_json(data) if data else None
        return self._definitions[key]

    def _kept(self, key: str, make: Any) -> Any:
        if key not in self.record:
            parsed = self._parse()
            if parsed is None:
                return None
            self.record[key] = make(parsed)
            self.has_news = True
        return self.record[key]

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


def _acts_json(functions: list[ast.AST]) -> list[Any]:
    return [act.to_json() for function in functions for act in acts_inside(function)]


def _span(node: Any) -> list[int]:
    return [node.lineno, node.col_offset, node.end_lineno, node.end_col_offset]


def _which(code: CodeType, spans: list[list[int]]) -> int | None:
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


def _json_of(nodes: list[Any]) -> list[Any] | None:
    """A definition as JSON has it. Of two functions that begin on one line, a change of either changes both."""
    if not nodes:
        return None
    statements = nodes[0].body if isinstance(nodes[0], ast.Module) else nodes
    form, names = normal_form(*statements), names_of(*statements)
    own = [each for node in nodes for each in getattr(node, "decorator_list", ())]
    decorators = [_decorator_json(node, digest, node in own) for node, digest in form.decorators]
    if isinstance(nodes[0], ast.ClassDef):  # whose own stand in its normal form, and are called while it is made
        decorators += [_decorator_json(node, "", True) for node in own]
    return [form.code, form.docs, form.annotations, names.to_json(), decorators]


def _decorator_json(node: ast.expr, digest: str, is_own: bool) -> list[Any]:
    return [_chain_of(node), digest, names_of(node).to_json(), is_own]


def _chain_of(node: ast.expr) -> list[str]:
    chain: list[str] = []
    while isinstance(node, (ast.Call, ast.Attribute)):
        if isinstance(node, ast.Call):
            node = node.func
        else:
            chain.insert(0, node.attr)
            node = node.value
    return [node.id, *chain] if isinstance(node, ast.Name) else []


def _from_json(data: list[Any]) -> Definition:
    code, docs, annotations, names, found = data
    return Definition(
        code,
        docs,
        annotations,
        ReachedNames.from_json(names),
        tuple(Decorator(tuple(chain), digest, ReachedNames.from_json(of), own) for chain, digest, of, own in found),
    )


def _outline_json(outline: SourceOutline) -> dict[str, Any]:
    return {name: getattr(outline, name) for name in SourceOutline.__slots__}
