"""The names that code takes from outside, found in its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cached_property
from typing import Any, TypeAlias

from msgspec import Struct, field

from rave_core.versions.source.normal_form import last_name
from rave_core.versions.source.scopes import Scope, class_scope, comprehension_scope, function_scope

Chain: TypeAlias = tuple[str, ...]
"""A name, and the attributes after it: ``a.b.c``."""
Import: TypeAlias = tuple[int, str, str, str]
"""Level, module, the name in it or an empty text, and the attributes after it."""

CHANGES = frozenset(
    {
        "append",
        "extend",
        "insert",
        "add",
        "update",
        "setdefault",
        "pop",
        "popitem",
        "remove",
        "discard",
        "clear",
        "sort",
        "reverse",
        "appendleft",
        "extendleft",
        "popleft",
        "move_to_end",
        "subtract",
        "put",
        "write",
        "__setitem__",
        "__delitem__",
        "intersection_update",
        "difference_update",
        "rotate",
        "symmetric_difference_update",
    }
)
"""Methods that change what they are called on."""
OPEN_NAMES = frozenset({"eval", "exec", "globals", "__import__", "vars", "compile"})
"""Builtins that reach names which no syntax tree shows."""
_OPEN_ATTRIBUTES = frozenset({"__subclasses__", "__globals__", "__dict__", "_getframe", "currentframe", "f_globals"})
_OPEN_CHAINS = frozenset({("sys", "modules"), ("inspect", "stack")})
_DOCS = frozenset(
    {
        "__doc__",
        "__annotations__",
        "cleandoc",
        "get_annotations",
        "get_type_hints",
        "getdoc",
        "getfullargspec",
        "getsource",
        "getsourcelines",
        "signature",
    }
)
_BY_NAME = frozenset({"getattr", "hasattr", "setattr", "delattr"})


class ReachedNames(Struct, array_like=True, dict=True):
    """The names that a piece of code uses.

    Attributes:
        chains: global or captured names, with the attributes after them.
        attributes: those of what is known only when it runs: parameters, results, elements.
        stores: names that it binds by ``global``; for a module's statement, all that it binds.
        changes: what it changes in place.
        imports: what it imports.
        open: words for what can't be followed.
        reads_docs: whether it reads docstrings, annotations or source.
        annotated: chains in the annotations of functions.
    """

    chains: set[Chain] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    stores: set[str] = field(default_factory=set)
    changes: set[Chain] = field(default_factory=set)
    imports: set[Import] = field(default_factory=set)
    open: set[str] = field(default_factory=set)
    reads_docs: bool = False
    annotated: set[Chain] = field(default_factory=set)

    @cached_property
    def ordered(self) -> tuple[Chain, ...]:
        """The chains in an order that is the same each time; asked for once all of them are known."""
        return tuple(sorted(self.chains))

    def add(self, other: ReachedNames) -> None:
        """Adds the names that another piece of code uses."""
        for name in ("chains", "attributes", "stores", "changes", "imports", "open", "annotated"):
            getattr(self, name).update(getattr(other, name))
        self.reads_docs |= other.reads_docs


def names_of(*nodes: ast.AST) -> ReachedNames:
    """The names that statements or expressions use, without their own decorators, which are kept apart.

    Raises:
        RecursionError: an expression is nested too deeply for the stack.
    """
    collector = _NameCollector()
    for node in nodes:
        collector.visit(node)
    return collector.names


class _NameCollector(ast.NodeVisitor):
    def __init__(self) -> None:
        self.names = ReachedNames()
        self._scopes: list[Scope] = []

    # ReachedNames ---------------------------------------------------------------------------------------------------

    def _scope_of(self, name: str) -> Scope | None:
        """The inner scope that binds a name; ``None`` if it comes from outside."""
        for depth, scope in enumerate(reversed(self._scopes)):
            if name in scope.outer:
                return None
            if scope.is_class and depth:
                continue
            if name in scope.bound and name not in scope.enclosing:
                return scope
        return None

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._read(node.id, ())
        elif not self._scopes or any(node.id in scope.outer for scope in self._scopes):
            self.names.stores.add(node.id)

    def _read(self, name: str, attributes: Chain) -> None:
        if name in _DOCS:
            self.names.reads_docs = True
        scope = self._scope_of(name)
        if scope is not None and name in scope.imports:
            self.names.imports.add((*scope.imports[name], ".".join(attributes)))
        elif scope is not None:
            self.names.attributes.update(attributes)
        if scope is None or scope.is_class:  # before a class binds a name, it is that from outside
            self.names.chains.add((name, *attributes))
            if name in OPEN_NAMES:
                self.names.open.add(name)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        attributes, base = [node.attr], node.value
        while isinstance(base, ast.Attribute):
            attributes.insert(0, base.attr)
            base = base.value
        self.names.open.update(f".{each}" for each in attributes if each in _OPEN_ATTRIBUTES)
        self.names.reads_docs |= not _DOCS.isdisjoint(attributes)
        if isinstance(base, ast.Name):
            if (base.id, attributes[0]) in _OPEN_CHAINS:
                self.names.open.add(f"{base.id}.{attributes[0]}")
            self._read(base.id, tuple(attributes))
        else:
            self.names.attributes.update(attributes)
            self.visit(base)
        if not isinstance(node.ctx, ast.Load):
            self._change(node.value)
            self._change(node)

    # Changes -------------------------------------------------------------------------------------------------

    def _change(self, node: ast.expr) -> None:
        attributes: list[str] = []
        while isinstance(node, (ast.Subscript, ast.Attribute)):
            if isinstance(node, ast.Attribute):
                attributes.insert(0, node.attr)
            node = node.value
        if isinstance(node, ast.Name) and self._scope_of(node.id) is None:
            self.names.changes.add((node.id, *attributes))

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not isinstance(node.ctx, ast.Load):
            self._change(node.value)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name) and self._scope_of(node.target.id) is None:
            self.names.stores.add(node.target.id)
            self._read(node.target.id, ())
        self.generic_visit(node)

    # Calls ---------------------------------------------------------------------------------------------------

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        name = last_name(function)
        if isinstance(function, ast.Name) and name in _BY_NAME and self._scope_of(name) is None:
            self._attribute_by_name(name, node)
        elif name in ("import_module", "__import__"):
            self._import_by_name(node)
        elif name in ("methodcaller", "attrgetter"):
            self._getter(name, node)
        if isinstance(function, ast.Attribute) and name in CHANGES:
            self._change(function.value)
        self.generic_visit(node)

    def _attribute_by_name(self, name: str, node: ast.Call) -> None:
        argument = node.args[1] if len(node.args) > 1 else None
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            context = ast.Load() if name in ("getattr", "hasattr") else ast.Store()
            self.visit(ast.Attribute(node.args[0], argument.value, context))
        elif node.args:
            self.names.open.add(f"{name} with a computed name")

    def _import_by_name(self, node: ast.Call) -> None:
        name, package = (*node.args, None, None)[:2]
        package = next((each.value for each in node.keywords if each.arg == "package"), package)
        called = name.value if isinstance(name, ast.Constant) and isinstance(name.value, str) else ""
        module = called.lstrip(".")
        if called and (called == module or _is_own_package(package)):
            self.names.imports.add((len(called) - len(module), module, "", ""))
        elif last_name(node.func) == "import_module":
            self.names.open.add("import_module with a computed name")

    def _getter(self, name: str, node: ast.Call) -> None:
        for argument in node.args if name == "attrgetter" else node.args[:1]:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                self.names.attributes.update(argument.value.split("."))
            else:
                self.names.open.add(f"{name} with a computed name")

    # Scopes --------------------------------------------------------------------------------------------------

    def _within(self, scope: Scope, body: Iterable[ast.AST]) -> None:
        self._scopes.append(scope)
        for node in body:
            self.visit(node)
        self._scopes.pop()

    def _defaults(self, arguments: ast.arguments) -> None:
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                self.visit(default)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for decorator in node.decorator_list if self._scopes else ():
            self.visit(decorator)
        self._defaults(node.args)
        self._annotations(node)
        self._within(function_scope(node.args, node.body), node.body)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def _annotations(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        apart = _NameCollector()
        apart._scopes = self._scopes
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        for annotation in (node.returns, *(each.annotation for each in every if each is not None)):
            if annotation is not None:
                apart.visit(annotation)
        self.names.annotated |= apart.names.chains

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._defaults(node.args)
        self._within(function_scope(node.args, [node.body]), [node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for each in (*(node.decorator_list if self._scopes else ()), *node.bases, *node.keywords):
            self.visit(each)
        self._within(class_scope(node.body), node.body)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if self._scopes and self._scopes[-1].is_class:
            self.visit(node.annotation)
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def _comprehension(self, node: Any) -> None:
        self.visit(node.generators[0].iter)
        inside: list[ast.AST] = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        for number, generator in enumerate(node.generators):
            inside += [generator.target, *generator.ifs, *([generator.iter] if number else [])]
        self._within(comprehension_scope(node.generators), inside)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension  # noqa: N815  # ast's names

    # Imports -------------------------------------------------------------------------------------------------

    def visit_Import(self, node: ast.Import) -> None:
        for each in node.names:
            self.names.imports.add((0, each.name, "", ""))
            if not self._scopes:
                self.names.stores.add(each.asname or each.name.partition(".")[0])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for each in node.names:
            self.names.imports.add((node.level, node.module or "", each.name, ""))
            if not self._scopes:
                self.names.stores.add(each.asname or each.name)


def _is_own_package(node: ast.AST | None) -> bool:
    """Whether an expression is what names the package of a module in that module."""
    return isinstance(node, ast.Name) and node.id in ("__package__", "__name__")
