"""The outline of a source: the places of its definitions, and what it binds and changes at module level."""

from __future__ import annotations

import ast
import gc
from collections import Counter
from collections.abc import Iterator
from types import CodeType
from typing import Any

from msgspec import Struct, field

from rave_core.versions.source.bytecode import code_digest, nested_codes, place_of
from rave_core.versions.source.names import CHANGES
from rave_core.versions.source.normal_form import FUNCTIONS
from rave_core.versions.source.scopes import names_bound

_COMPOUND = (ast.If, ast.Try, ast.With, ast.For, ast.While, ast.TryStar)
_DEFINITIONS = (*FUNCTIONS, ast.ClassDef)


class SourceOutline(Struct):
    """What is known about a source without inspecting its definitions.

    Attributes:
        classes: by qualname, the names that the class binds.
        rebound: names of the module that are bound more than once, or by ``global``.
        writes: what functions and classes change in place, as chains; a local name may look like a global one.
        top_writes: what statements of the module change in place.
        writers: by the qualname of a class: its methods that write to their instance, with the attributes.
    """

    classes: dict[str, list[str]] = field(default_factory=dict)
    rebound: list[str] = field(default_factory=list)
    writes: list[list[str]] = field(default_factory=list)
    top_writes: list[list[str]] = field(default_factory=list)
    writers: dict[str, dict[str, list[str]]] = field(default_factory=dict)


class Parsed:
    """A source as a syntax tree and as compiled code.

    Attributes:
        tree: the module.
        functions: by ``qualname@line``, the functions and lambdas that begin there.
        classes: by qualname.
    """

    def __init__(self, source: bytes, filename: str, is_cell: bool) -> None:
        """Parses and compiles.

        Raises:
            SyntaxError, ValueError: it is no Python.
            RecursionError: it is nested too deeply.
        """
        self.tree = _tree(source, filename)
        self.functions: dict[str, list[ast.AST]] = {}
        self.classes: dict[str, ast.ClassDef] = {}
        self._index(self.tree, "")
        self._codes: dict[str, list[CodeType]] = {}
        self._compiled(compile(self.tree, filename, "exec", dont_inherit=True))
        if is_cell:  # IPython compiles each statement separately, which gives different code after an import
            for statement in self.tree.body:
                self._compiled(compile(ast.Module([statement], []), filename, "exec", dont_inherit=True))

    def digests(self, key: str) -> list[str]:
        """Digests of the code that the functions under ``key`` compile to."""
        return sorted({code_digest(code) for code in self._codes.get(key, ())})

    def _compiled(self, code: CodeType) -> None:
        for each in nested_codes(code):
            self._codes.setdefault(place_of(each), []).append(each)

    def _index(self, node: ast.AST, path: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (*FUNCTIONS, ast.Lambda)):
                qualname = path + getattr(child, "name", "<lambda>")
                self.functions.setdefault(f"{qualname}@{_first_line(child)}", []).append(child)
                self._index(child, f"{qualname}.<locals>.")
            elif isinstance(child, ast.ClassDef):
                self.classes[path + child.name] = child
                self._index(child, f"{path}{child.name}.")
            else:
                self._index(child, path)

    def outline(self) -> SourceOutline:
        """The outline."""
        bound: Counter[str] = Counter()
        found = SourceOutline(
            classes={name: sorted(names_bound(*node.body)) for name, node in self.classes.items()},
            writers={name: writers for name, node in self.classes.items() if (writers := _writers(node))},
        )
        inside: set[tuple[str, ...]] = set()
        top: set[tuple[str, ...]] = set()
        for statement in top_statements(self.tree.body):
            bound.update(names_bound(statement))
            (inside if isinstance(statement, _DEFINITIONS) else top).update(_changes(statement))
        rebound = {name for name, count in bound.items() if count > 1}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Global):
                rebound.update(node.names)
        found.rebound = sorted(rebound)
        found.writes, found.top_writes = sorted(map(list, inside)), sorted(map(list, top))
        return found


def top_statements(body: list[Any]) -> Iterator[ast.stmt]:
    """The statements of a module, and those in blocks that define or import something."""
    for statement in body:
        if isinstance(statement, _COMPOUND) and _defines(statement):
            for name in ("body", "orelse", "finalbody"):
                yield from top_statements(getattr(statement, name, []))
            for handler in getattr(statement, "handlers", ()):
                yield from top_statements(handler.body)
        else:
            yield statement


def _defines(statement: ast.stmt) -> bool:
    return any(isinstance(node, (*_DEFINITIONS, ast.Import, ast.ImportFrom)) for node in ast.walk(statement))


def _first_line(node: Any) -> int:
    lines: list[int] = [node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))]
    return min(lines)


def _changes(statement: ast.AST) -> Iterator[tuple[str, ...]]:
    for node in ast.walk(statement):
        changed: Any = None
        if isinstance(node, (ast.Subscript, ast.Attribute)) and not isinstance(node.ctx, ast.Load):
            changed = node.value
            if isinstance(node, ast.Attribute) and (chain := _chain(node)):
                yield chain
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
            changed = node.func.value
        if changed is not None and (chain := _chain(changed)):
            yield chain


def _chain(node: ast.expr) -> tuple[str, ...]:
    attributes: list[str] = []
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        if isinstance(node, ast.Attribute):
            attributes.insert(0, node.attr)
        node = node.value
    return (node.id, *attributes) if isinstance(node, ast.Name) else ()


def _writers(node: ast.ClassDef) -> dict[str, list[str]]:
    found = {each.name: _written(each) for each in node.body if isinstance(each, FUNCTIONS)}
    return {name: attributes for name, attributes in found.items() if attributes}


def _written(method: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """The attributes of its instance that a method writes."""
    arguments = [*method.args.posonlyargs, *method.args.args]
    if not arguments:
        return []
    instance = arguments[0].arg
    return sorted({chain[1] for chain in _changes(method) if len(chain) > 1 and chain[0] == instance})


def _tree(source: bytes, filename: str) -> ast.Module:
    """The syntax tree of a source.

    CPython 3.11 keeps the depth of the tree that is being made once for all threads. If a callback or a finalizer of
    the garbage collector runs meanwhile, another thread may make a tree too, and the first gives a `SystemError`. It is
    made again, without garbage collection.
    """
    try:
        return _parsed(source, filename)
    except SystemError:
        collects = gc.isenabled()
        gc.disable()
        try:
            return _parsed(source, filename)
        finally:
            if collects:
                gc.enable()


def _parsed(source: bytes, filename: str) -> ast.Module:
    tree: Any = compile(source, filename, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    return tree
