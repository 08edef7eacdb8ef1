"""Acts of code: what it calls and what it writes to when it runs, without what it only defines."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from rave_core.versions.source.names import Chain
from rave_core.versions.source.normal_form import FUNCTIONS, last_name
from rave_core.versions.source.scopes import function_scope

_INNER = (*FUNCTIONS, ast.Lambda, ast.ClassDef)
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")

ImportedName: TypeAlias = tuple[int, str, str]
"""Level, module, and the name in it or an empty text."""


class ActKind(StrEnum):
    """How code acts on something."""

    CALL = "call"
    """A call whose result is used for nothing."""
    ASK = "ask"
    """A call whose result is used."""
    GIVEN = "given"
    """It is an argument of a call, which may call it: a thread does, and ``map``."""
    WRITE = "write"
    """An attribute or item is set or deleted."""
    DECORATE = "decorate"


class Act(Struct, frozen=True, array_like=True):
    """A call, or a change in place.

    Attributes:
        kind: which of them.
        chain: what it is done to, as a chain of names up to the first call or item: ``a.b`` of ``a.b().c(1)``.
        last: the last name in what is called, decorates or is written: ``c``.
        module: the module that the chain begins in if the code itself imports it; else an empty text.
    """

    kind: ActKind
    chain: Chain
    last: str
    module: str = ""

    @property
    def label(self) -> str:
        """How the act is written, for people: ``random.seed``."""
        names = [*filter(None, [self.module]), *self.chain]
        return ".".join(names if names[-1] == self.last or not self.last else [*names, self.last])


class ActingStatement(Struct, frozen=True, array_like=True):
    """A statement of a module or of a function, with its acts.

    Attributes:
        number: its place in what `module_statements` or `statements_inside` gives.
        is_main: whether it runs only in the main program.
        acts: what it does.
    """

    number: int
    is_main: bool
    acts: tuple[Act, ...]


def module_statements(tree: ast.Module) -> list[tuple[ast.stmt, bool]]:
    """The statements of a module, and whether each runs only in the main program."""
    found: list[tuple[ast.stmt, bool]] = []
    for statement in tree.body:
        if isinstance(statement, ast.If) and _asks_for_main(statement.test):
            found += [(each, True) for each in statement.body] + [(each, False) for each in statement.orelse]
        elif not (isinstance(statement, ast.If) and last_name(statement.test) == "TYPE_CHECKING"):
            found.append((statement, False))
    return found


def acting_statements(tree: ast.Module) -> list[ActingStatement]:
    """The statements of a module that call or change anything."""
    found = []
    for number, (statement, is_main) in enumerate(module_statements(tree)):
        if acts := _acts_of(statement):
            found.append(ActingStatement(number, is_main, tuple(acts)))
    return found


def imports_of(tree: ast.Module) -> list[ImportedName]:
    """What a module imports while it loads."""
    found: list[ImportedName] = []
    for statement, is_main in module_statements(tree):
        for node in _simple([statement]) if not is_main else ():
            if isinstance(node, ast.Import):
                found += [(0, each.name, "") for each in node.names]
            elif isinstance(node, ast.ImportFrom):
                found += [(node.level, node.module or "", each.name) for each in node.names]
    return found


def names_imported(package: str, imports: Iterable[ImportedName]) -> Iterator[str]:
    """The full names that imports may lead to, each after the packages around it, and those around the module."""
    for level, module, member in ((1, "", ""), *imports):
        parts = package.split(".")
        first = parts[: len(parts) + 1 - level] if level else []
        full = ".".join([*first, *filter(None, [module])]).split(".")
        yield from (".".join(full[: end + 1]) for end in range(len(full)))
        if member:
            yield ".".join([*full, member])


def makers(tree: ast.Module) -> dict[str, Chain]:
    """What is called to make the value of a name: of ``x = a.b(1)``, the chain ``a.b`` under ``x``."""
    return {
        target.id: chain
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and (chain := _root(node.value.func))
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def is_call_on(statement: ast.stmt, name: str) -> bool:
    """Whether a statement calls a method of what a name stands for, or passes it to a call, for the effect alone."""
    calls = [each.value for each in _simple([statement]) if isinstance(each, ast.Expr)]
    return any(
        isinstance(call, ast.Call)
        and last_name(call) != "print"
        and (
            (isinstance(call.func, ast.Attribute) and _root(call.func)[:1] == (name,))
            or any(isinstance(each, ast.Name) and each.id == name for each in _arguments(call))
        )
        for call in calls
    )


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(each.value for each in call.keywords)]


def statements_inside(functions: Iterable[ast.AST]) -> list[tuple[ast.AST, Mapping[str, ImportedName]]]:
    """The statements of functions, those in their blocks too, each with what its function imports itself."""
    found: list[tuple[ast.AST, Mapping[str, ImportedName]]] = []
    for function in functions:
        if isinstance(function, FUNCTIONS):
            imports = function_scope(function.args, function.body).imports
            found += [(each, imports) for each in _simple(function.body)]
    return found


def acting_inside(functions: Iterable[ast.AST]) -> list[ActingStatement]:
    """Those that call or change anything, with their places in `statements_inside`."""
    found = []
    for number, (statement, imports) in enumerate(statements_inside(functions)):
        acts = [
            _imported(act, *imports[act.chain[0]]) if act.chain[0] in imports else act
            for act in _of_statement(statement)
        ]
        if acts:
            found.append(ActingStatement(number, False, tuple(acts)))
    return found


def without_blocks(statement: ast.AST) -> ast.AST:
    """A statement alone: of a ``with``, what it opens."""
    alone = copy.copy(statement)
    for name in _BLOCKS:
        if hasattr(alone, name):
            setattr(alone, name, [])
    return alone


def _imported(act: Act, level: int, module: str, member: str) -> Act:
    if level:  # a module of the project, which is no library
        return act
    return replace(act, chain=(*filter(None, [member]), *act.chain[1:]), module=module)


def _asks_for_main(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _acts_of(statement: ast.stmt) -> list[Act]:
    """The acts of a statement and of those in its blocks; for a definition, of what runs while it is made."""
    if not isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        return [act for each in _simple([statement]) for act in _of_statement(each)]
    decorators = [(_root(each), last_name(each)) for each in statement.decorator_list]
    found = [Act(ActKind.DECORATE, chain, last) for chain, last in decorators if chain]
    if isinstance(statement, ast.ClassDef):
        return [*found, *_acts_of_bases(statement), *(act for each in statement.body for act in _acts_of(each))]
    defaults = [*statement.args.defaults, *filter(None, statement.args.kw_defaults)]
    return found + [act for each in defaults for act in _of_expression(each, ActKind.ASK)]


def _acts_of_bases(statement: ast.ClassDef) -> Iterator[Act]:
    """The acts of the bases and of the metaclass of a class while it is made."""
    made = [("__init_subclass__", each) for each in statement.bases]
    made += [("__new__", each.value) for each in statement.keywords if each.arg == "metaclass"]
    for last, node in made:
        if chain := _root(node):
            yield Act(ActKind.ASK, chain, last)


def _simple(statements: list[Any]) -> Iterator[ast.AST]:
    """Statements and those in their blocks, each to be looked at without its blocks."""
    for statement in statements:
        if isinstance(statement, _INNER):
            continue
        yield statement
        for name in ("body", "orelse", "finalbody"):
            yield from _simple(getattr(statement, name, []))
        for each in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
            yield from _simple(each.body)


def _of_statement(statement: ast.AST) -> Iterator[Act]:
    kind = ActKind.CALL if isinstance(statement, ast.Expr) else ActKind.ASK
    for child in ast.iter_child_nodes(statement):
        if isinstance(child, ast.withitem):
            child = child.context_expr
        if isinstance(child, ast.expr):
            yield from _of_expression(child, kind)


def _of_expression(node: ast.AST, kind: ActKind) -> Iterator[Act]:
    if isinstance(node, _INNER):
        return
    if isinstance(node, ast.Call):
        if chain := _root(node.func):
            yield Act(kind, chain, last_name(node.func))
        if last_name(node.func) in ("setattr", "delattr") and node.args and (chain := _root(node.args[0])):
            yield Act(ActKind.WRITE, chain, "")
        if isinstance(node.func, ast.Lambda):
            yield from _of_expression(node.func.body, kind)
        for each in _arguments(node):
            if isinstance(each, (ast.Name, ast.Attribute)) and (chain := _root(each)):
                yield Act(ActKind.GIVEN, chain, chain[-1])
        kind = ActKind.ASK
    if (
        isinstance(node, (ast.Attribute, ast.Subscript))
        and not isinstance(node.ctx, ast.Load)
        and (chain := _root(node.value))
    ):
        yield Act(ActKind.WRITE, chain, getattr(node, "attr", ""))
    for child in ast.iter_child_nodes(node):
        yield from _of_expression(child, kind)


def _root(node: ast.AST) -> Chain:
    """The chain of names that an expression begins with, up to the first call or item; empty for any other."""
    attributes: list[str] = []
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        if isinstance(node, ast.Attribute):
            attributes.insert(0, node.attr)
            node = node.value
        elif isinstance(node, ast.Call) and _is_of_first(node):
            name = getattr(node.args[-1], "value", None)
            attributes = [name, *attributes] if isinstance(name, str) else []
            node = node.args[0]
        else:
            attributes.clear()
            node = node.value if isinstance(node, ast.Subscript) else node.func
    return (node.id, *attributes) if isinstance(node, ast.Name) else ()


def _is_of_first(call: ast.Call) -> bool:
    """Whether a call gives something of its first argument: ``getattr(module, "name")``, ``vars(module)``."""
    forms = {"getattr": 2, "vars": 1}
    return isinstance(call.func, ast.Name) and len(call.args) == forms.get(call.func.id)
