"""Compiled code: a digest that shows whether a source is what was loaded, and the names in code without source."""

from __future__ import annotations

import dis
import inspect
import re
import sys
from collections.abc import Iterator
from hashlib import blake2b
from types import CodeType
from typing import Any

from rave_core.versions.source.names import CHANGES, OPEN_NAMES, ReachedNames

_OPTIMIZED = inspect.CO_OPTIMIZED | inspect.CO_NEWLOCALS
_HAS_DOCSTRING = 0x4000000
_ROOTS = frozenset(
    {
        "LOAD_GLOBAL",
        "LOAD_NAME",
        "LOAD_DEREF",
        "LOAD_CLASSDEREF",
        "LOAD_FROM_DICT_OR_GLOBALS",
        "LOAD_FROM_DICT_OR_DEREF",
    }
)
_COMPREHENSIONS = re.compile(r"<(?:listcomp|setcomp|dictcomp|genexpr)>\.(?:<locals>\.)?")
_ATTRIBUTES = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_NOTHING = frozenset({"PUSH_NULL", "CACHE", "NOP", "EXTENDED_ARG", "RESUME", "PRECALL"})
_OPEN_ATTRIBUTES = frozenset({"__subclasses__", "__globals__", "__dict__", "_getframe", "currentframe", "f_globals"})


def code_digest(code: CodeType) -> str:
    """32 hexadecimal digits of all that a code object does; its file, its lines and its docstring do not count."""
    state = blake2b(digest_size=16)
    _feed(state, code)
    return state.hexdigest()


def place_of(code: CodeType) -> str:
    """``qualname@line`` of code, as a syntax tree has it, where comprehensions and generators have no names."""
    return f"{_COMPREHENSIONS.sub('', code.co_qualname)}@{code.co_firstlineno}"


def nested_codes(code: CodeType) -> Iterator[CodeType]:
    """The code objects inside, however deep, each before those inside it."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from nested_codes(constant)


def _feed(state: blake2b, code: CodeType) -> None:
    facts = (
        (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_flags),
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_exceptiontable),
    )
    head = repr(facts).encode("utf-8", "surrogatepass")
    state.update(b"%x:%x:" % (len(code.co_code), len(head)) + code.co_code + head)
    for index, constant in enumerate(code.co_consts):
        if isinstance(constant, CodeType):
            _feed(state, constant)
            continue
        data = (
            b"docstring"
            if index == 0 and _has_docstring(code)
            else _constant(constant).encode("utf-8", "surrogatepass")
        )
        state.update(b"%x:" % len(data) + data)


def _has_docstring(code: CodeType) -> bool:
    """Whether the first constant is a docstring. That of a lambda or comprehension is a value like all others."""
    if code.co_flags & _OPTIMIZED != _OPTIMIZED or code.co_name.startswith("<") or not code.co_consts:
        return False
    is_marked = sys.version_info < (3, 14) or bool(code.co_flags & _HAS_DOCSTRING)
    return is_marked and isinstance(code.co_consts[0], (str, type(None)))


def _constant(value: Any) -> str:
    if isinstance(value, frozenset):
        return f"frozenset({','.join(sorted(map(_constant, value)))})"
    if isinstance(value, tuple):
        return f"({','.join(map(_constant, value))},)"
    return f"{type(value).__name__}:{hex(value) if type(value) is int else repr(value)}"


def names_of_code(code: CodeType) -> ReachedNames:
    """The names that code without a source uses, including nested code; coarser than those of a source."""
    names = ReachedNames()
    _Reader(names).read(code)
    for each in nested_codes(code):
        _Reader(names).read(each)
    bound = set(code.co_cellvars)
    names.chains = {chain for chain in names.chains if chain[0] not in bound}
    return names


class _Reader:
    """Reads the instructions of one code object."""

    def __init__(self, names: ReachedNames) -> None:
        self._names = names
        self._chain: tuple[str, ...] = ()

    def read(self, code: CodeType) -> None:
        for instruction in dis.get_instructions(code):
            self._next(instruction.opname, instruction.argval)
        self._end()

    def _next(self, opname: str, argument: Any) -> None:
        if opname in _NOTHING:
            return
        if opname in _ATTRIBUTES:
            self._attribute(argument)
            return
        self._end()
        if opname in _ROOTS:
            self._chain = (argument,)
            if argument in OPEN_NAMES or argument in ("getattr", "setattr"):
                self._names.open.add(argument)
        elif opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            self._names.stores.add(argument)
        elif opname == "IMPORT_NAME":
            self._names.imports.add((0, argument, "", ""))

    def _attribute(self, name: str) -> None:
        if name in _OPEN_ATTRIBUTES:
            self._names.open.add(f".{name}")
        if not self._chain:
            self._names.attributes.add(name)
            return
        if name in CHANGES:
            self._names.changes.add(self._chain)
        self._chain = (*self._chain, name)

    def _end(self) -> None:
        if self._chain:
            self._names.chains.add(self._chain)
        self._chain = ()
