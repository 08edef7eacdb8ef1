"""Scopes: the names that a function, class or comprehension binds itself, by the compiler's rules."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Scope:
    """The names of one scope.

    Attributes:
        bound: those that it binds.
        outer: those that it declares ``global``.
        enclosing: those that it declares ``nonlocal``.
        imports: those bound by imports: level, module, and the name in it, or an empty text.
        is_class: whether scopes inside it do not see its names.
    """

    bound: set[str] = field(default_factory=set)
    outer: set[str] = field(default_factory=set)
    enclosing: set[str] = field(default_factory=set)
    imports: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    is_class: bool = False


def function_scope(arguments: ast.arguments, body: list[Any]) -> Scope:
    """The scope of a function or lambda."""
    scope = Scope()
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [each for each in (arguments.vararg, arguments.kwarg) if each is not None]
    scope.bound.update(each.arg for each in every)
    return _bound(scope, body)


def class_scope(body: list[ast.stmt]) -> Scope:
    """The scope of a class body."""
    return _bound(Scope({"__class__"}, is_class=True), body)


def comprehension_scope(generators: list[ast.comprehension]) -> Scope:
    """The scope of a comprehension: what it iterates with."""
    scope = Scope()
    for generator in generators:
        _Binder(scope).visit(generator.target)
    return scope


def names_bound(*statements: ast.AST) -> set[str]:
    """The names that statements bind in the scope where they stand."""
    return _bound(Scope(), list(statements)).bound


def _bound(scope: Scope, body: list[Any]) -> Scope:
    binder = _Binder(scope)
    for node in body:
        binder.visit(node)
    scope.bound -= scope.outer
    return scope


class _Binder(ast.NodeVisitor):
    """Adds to a scope what nodes bind in it, without entering inner scopes."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._scope.bound.add(node.id)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._scope.bound.add(node.name)
        outside = [*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]
        for each in outside:
            self.visit(each)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._scope.bound.add(node.name)
        for each in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(each)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for each in (*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)):
            self.visit(each)

    def _comprehension(self, node: ast.AST) -> None:
        for inner in ast.walk(node):
            if isinstance(inner, ast.NamedExpr):  # binds outside of the comprehension
                self._scope.bound.add(inner.target.id)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension  # noqa: N815  # ast's names

    def visit_Global(self, node: ast.Global) -> None:
        self._scope.outer.update(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self._scope.enclosing.update(node.names)

    def visit_Import(self, node: ast.Import) -> None:
        for each in node.names:
            first = each.name.partition(".")[0]
            name = each.asname or first
            self._scope.bound.add(name)
            self._scope.imports[name] = (0, each.name if each.asname else first, "")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for each in node.names:
            name = each.asname or each.name
            self._scope.bound.add(name)
            self._scope.imports[name] = (node.level, node.module or "", each.name)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self._capture(node.name, node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self._capture(node.name, node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self._capture(node.name, node)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self._capture(node.rest, node)

    def _capture(self, name: str | None, node: ast.AST) -> None:
        if name:
            self._scope.bound.add(name)
        self.generic_visit(node)
