"""Stand-ins of code: what a function or a method is, besides its name."""

from __future__ import annotations

import sys
import types
from functools import _lru_cache_wrapper
from typing import Any

from rave_core.fingerprint.met_code import note_code
from rave_core.fingerprint.parts import Parts
from rave_core.functions.naming import module_of


def function_parts(function: types.FunctionType) -> Parts:
    """Name, code, defaults and captured values; neither its globals nor its attributes.

    If code is collected, the collector describes what the function does; else its bytecode counts. A function of
    Python's library counts by its name then, like all of the library.
    """
    module = module_of(function)
    yield "", f"{module}:{function.__qualname__}"
    is_described = note_code(function)
    yield ".__code__", None if is_described else function.__code__
    if is_described and module.partition(".")[0] in sys.stdlib_module_names:
        yield from _cells(function)
        return
    yield ".__defaults__", function.__defaults__
    yield ".__kwdefaults__", function.__kwdefaults__
    yield from _cells(function)


def _cells(function: types.FunctionType) -> Parts:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield f".{name}", _content(cell)


def _content(cell: types.CellType) -> tuple[Any, ...]:
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def code_parts(code: types.CodeType) -> Parts:
    """What a code object does, independent of its file and line numbers."""
    yield "", (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    yield "", (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    yield "", (code.co_code, code.co_exceptiontable)
    yield ".co_consts", code.co_consts


def method_parts(method: types.MethodType) -> Parts:
    """The function, and what it is bound to."""
    yield ".__func__", method.__func__
    yield ".__self__", method.__self__


def builtin_parts(builtin: Any) -> Parts:
    """The name of a built-in function, and what it is bound to (unless that is its module)."""
    owner = builtin.__self__
    free = owner is None or isinstance(owner, types.ModuleType)
    yield "", (builtin.__module__ if free else None, builtin.__qualname__)
    yield ".__self__", None if free else owner


def slot_parts(descriptor: Any) -> Parts:
    """The class and the name of a method written in C, such as ``str.upper``."""
    yield "", descriptor.__objclass__
    yield "", descriptor.__name__


def partial_parts(partial: Any) -> Parts:
    """What a ``functools.partial`` calls, and its arguments."""
    yield ".func", partial.func
    yield ".args", partial.args
    yield ".keywords", partial.keywords
    yield ".__dict__", vars(partial)


def remembering_parts(function: Any) -> Parts:
    """The function behind a ``functools.lru_cache``; cached results do not count."""
    yield ".__wrapped__", function.__wrapped__
    yield "", function.cache_parameters()


def reduced_parts(value: Any) -> Parts:
    """How an ``operator`` getter is made: the class and its arguments."""
    maker, arguments = value.__reduce__()
    yield "", maker
    yield "", arguments


def alias_parts(alias: Any) -> Parts:
    """The class and the arguments of ``list[int]`` and ``int | str``."""
    yield "", getattr(alias, "__origin__", None)
    yield "", alias.__args__


PARTS: dict[type, Any] = {
    types.FunctionType: function_parts,
    types.CodeType: code_parts,
    types.MethodType: method_parts,
    types.BuiltinFunctionType: builtin_parts,
    types.MethodWrapperType: builtin_parts,
    types.MethodDescriptorType: slot_parts,
    types.WrapperDescriptorType: slot_parts,
    types.ClassMethodDescriptorType: slot_parts,
    types.GenericAlias: alias_parts,
    types.UnionType: alias_parts,
    _lru_cache_wrapper: remembering_parts,
}
"""The types of code, each with the function that gives its parts."""
