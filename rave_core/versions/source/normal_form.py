"""The normal form of code: the content of a syntax tree without what has no effect.

Layout, comments, docstrings, ``pass``, blocks for type checkers and the annotations of local variables are not part of
it. It uses its own serialisation, because that of the `ast` module and bytecode differ between Python versions. What
counts only in some cases is kept apart: docstrings, the annotations of functions, and their decorators. Only the live
object shows whether these matter.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any

from rave_core.versions.source.tokens import digest_of

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_NO_PART = frozenset({"ctx", "type_comment", "kind", "type_ignores", "lineno", "col_offset", "end_lineno"})
_BLOCKS = frozenset({"body", "orelse", "finalbody"})


@dataclass(slots=True)
class NormalForm:
    """The normal form of one or more statements.

    Attributes:
        code: digest of what always counts.
        docs: digest of the docstrings, empty if there are none.
        annotations: digest of the annotations of functions, empty if there are none.
        decorators: of each decorator of a function: the expression, and the digest of it and its place.
    """

    code: str = ""
    docs: str = ""
    annotations: str = ""
    decorators: list[tuple[ast.expr, str]] = field(default_factory=list)


def normal_form(*statements: ast.AST, in_class: bool = False) -> NormalForm:
    """The normal form of statements, or of an expression.

    Raises:
        RecursionError: an expression is nested too deeply for the stack.
    """
    writer = _Writer(in_class)
    writer.block(statements)
    return writer.finished()


def last_name(node: ast.AST) -> str:
    """The last name of an expression or of what it calls: ``wraps`` of ``functools.wraps(f)``."""
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


class _Writer:
    def __init__(self, in_class: bool = False) -> None:
        self._in_class = in_class
        self._out: list[bytes] = []
        self._docs: list[bytes] = []
        self._annotations: list[bytes] = []
        self._decorators: list[tuple[ast.expr, str]] = []
        self._functions = 0
        self._writers: dict[type, Callable[[Any], None]] = {
            ast.Constant: self._constant,
            ast.JoinedStr: self._joined,
            ast.AnnAssign: self._annotated,
            ast.FunctionDef: partial(self._function, b"def "),
            ast.AsyncFunctionDef: partial(self._function, b"async def "),
            ast.Lambda: self._lambda,
            ast.ClassDef: self._class,
        }

    def finished(self) -> NormalForm:
        return NormalForm(_hex(self._out), _hex(self._docs), _hex(self._annotations), self._decorators)

    def block(self, statements: Any) -> None:
        """A block, without the statements that do nothing."""
        self._out.append(b"{")
        for statement in statements:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                if isinstance(statement.value.value, str):
                    self._docs.append(b"%d " % self._functions + _text(statement.value.value))
            elif self._in_class and isinstance(statement, ast.AnnAssign):
                self._plain(statement)
            elif not _does_nothing(statement):
                self._put(statement)
        self._out.append(b"}")

    def _put(self, node: Any) -> None:
        if isinstance(node, list):
            self._out.append(b"[")
            for item in node:
                self._put(item)
            self._out.append(b"]")
        elif isinstance(node, ast.AST):
            self._writers.get(type(node), self._plain)(node)
        else:
            self._out.append(_text(node) if isinstance(node, str) else repr(node).encode() + b";")

    def _plain(self, node: ast.AST) -> None:
        self._out.append(b"(" + type(node).__name__.encode())
        for name in node._fields:
            value = getattr(node, name, None)
            if name in _NO_PART or value is None or value == []:
                continue
            self._out.append(b" " + name.encode() + b"=")
            if name in _BLOCKS and isinstance(value, list):
                self.block(value)
            else:
                self._put(value)
        self._out.append(b")")

    def _constant(self, node: ast.Constant) -> None:
        value: Any = node.value
        # Python refuses to write long numbers as decimals.
        data = hex(value).encode() if type(value) is int else _text(value if isinstance(value, str) else repr(value))
        self._out.append(type(value).__name__.encode() + b":" + data)

    def _joined(self, node: ast.JoinedStr) -> None:
        """Joins adjacent texts and drops empty ones: parsers split them differently."""
        self._out.append(b"(f")
        text = ""
        for part in _flat(node.values):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                text += part.value
                continue
            self._out.append(_text(text))
            text = ""
            self._put(part)
        self._out.append(_text(text) + b")")

    def _annotated(self, node: ast.AnnAssign) -> None:
        """For a variable that is not a member of a class, only the value."""
        if node.value is not None:
            self._plain(ast.Assign([node.target], node.value))

    def _function(self, kind: bytes, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._functions += 1
        for expression in node.decorator_list:
            digest = digest_of(self._functions, node.name, _expression(expression))
            self._decorators.append((expression, digest))
        self._out.append(b"(" + kind + _text(node.name))
        self._arguments(node.args)
        if node.returns is not None:
            self._annotation(node.returns)
        self._inside(node.body, in_class=False)
        self._out.append(b")")

    def _lambda(self, node: ast.Lambda) -> None:
        self._out.append(b"(lambda ")
        self._arguments(node.args)
        self._put(node.body)
        self._out.append(b")")

    def _arguments(self, arguments: ast.arguments) -> None:
        groups = (
            (b"/", arguments.posonlyargs),
            (b",", arguments.args),
            (b"*", [arguments.vararg] if arguments.vararg else []),
            (b"k", arguments.kwonlyargs),
            (b"**", [arguments.kwarg] if arguments.kwarg else []),
        )
        for mark, group in groups:
            for each in group:
                self._out.append(mark + _text(each.arg))
                if each.annotation is not None:
                    self._annotation(each.annotation)
        self._put(arguments.defaults)
        self._out.append(b"|")
        for default in arguments.kw_defaults:
            self._out.append(b"-" if default is None else b"=")
            if default is not None:
                self._put(default)

    def _annotation(self, node: ast.expr) -> None:
        self._annotations.append(b"%d " % self._functions + _expression(node).encode())

    def _class(self, node: ast.ClassDef) -> None:
        self._out.append(b"(class " + _text(node.name))
        self._put(node.decorator_list)
        self._put(node.bases)
        self._put(node.keywords)
        self._inside(node.body, in_class=True)
        self._out.append(b")")

    def _inside(self, body: list[ast.stmt], in_class: bool) -> None:
        before, self._in_class = self._in_class, in_class
        self.block(body)
        self._in_class = before


def _expression(node: ast.expr) -> str:
    writer = _Writer()
    writer._put(node)
    return _hex(writer._out)


def _does_nothing(statement: ast.AST) -> bool:
    if isinstance(statement, ast.Pass):
        return True
    if isinstance(statement, ast.If) and last_name(statement.test) == "TYPE_CHECKING":
        return not statement.orelse
    return isinstance(statement, ast.AnnAssign) and statement.value is None


def _flat(values: list[ast.expr]) -> Iterator[ast.expr]:
    for value in values:
        if isinstance(value, ast.JoinedStr):
            yield from _flat(value.values)
        else:
            yield value


def _text(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return b"%x:" % len(data) + data


def _hex(parts: list[bytes]) -> str:
    return blake2b(b"".join(parts), digest_size=16).hexdigest() if parts else ""
