"""Version strategies: whether an operation changed since a result was kept (R11).

The version is part of the key, so earlier code finds its results again. What counts is the
code as it was loaded: the defining file is read when the operation is decorated, not when it is first called.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from types import CodeType
from typing import Any, TypeAlias

from rave_core.functions.naming import file_of
from rave_core.model import Code, OperationSpec
from rave_core.versions.file_contents import contents
from rave_core.versions.loaded_files import loaded_files

VersionStrategy: TypeAlias = Callable[[OperationSpec], bytes]


def stamp(function: Callable[..., Any]) -> Code:
    """The code of ``function``, read now."""
    loaded_files.note(function.__module__ or "")
    path = file_of(function)
    if path is None:
        return Code(None, _code_digest(getattr(function, "__code__", None), function), 0)
    try:
        data, mtime_ns = contents.read(path)
        return Code(path, blake2b(data, digest_size=20).digest(), mtime_ns)
    except OSError:
        return Code(None, _code_digest(getattr(function, "__code__", None), function), 0)


def _code_digest(code: CodeType | None, function: Callable[..., Any]) -> bytes:
    state = blake2b(digest_size=20)
    if code is None:
        state.update(f"{function.__module__}.{function.__qualname__}".encode())
    else:
        _feed(state, code)
    while (wrapped := getattr(function, "__wrapped__", None)) is not None:
        function = wrapped
        if isinstance(inner := getattr(function, "__code__", None), CodeType):
            _feed(state, inner)
    return state.digest()


def _feed(state: blake2b, code: CodeType) -> None:
    state.update(code.co_code + repr((code.co_names, code.co_varnames, code.co_freevars, code.co_flags)).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _feed(state, constant)
        elif isinstance(constant, frozenset):
            state.update(repr(sorted(map(repr, constant))).encode())
        else:
            state.update(repr(constant).encode())


def file(spec: OperationSpec) -> bytes:
    """The content of the defining file: any edit counts; a touch, a reinstall or another host does not."""
    return b"file:" + bytes(spec.code.digest)


def mtime(spec: OperationSpec) -> bytes:
    """The modification time of the defining file, as in the RAVE of 2007; the code's content if there is no file."""
    return b"mtime:" + str(spec.code.mtime_ns).encode() if spec.code.mtime_ns else file(spec)


def source(spec: OperationSpec) -> bytes:
    """The code that the operation reaches, in normal form; see `rave_core.versions.source`."""
    # Only here, because a program that decorates may never need it.
    from rave_core.versions.source.closure import ClosureRequest, closure_of
    from rave_core.versions.source.locality import Locality

    locality = Locality(home=(spec.function.__module__ or "").partition(".")[0])
    return closure_of(ClosureRequest((spec.function,), locality=locality)).digest


BUILTIN: dict[str, VersionStrategy] = {"source": source, "file": file, "mtime": mtime}
"""The version strategies that come with the core, by name."""
