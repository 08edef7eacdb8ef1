"""Code found while values are encoded: functions, and the classes of objects and members.

An encoding has their names. The collector describes what they do, which depends on all that they reach.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from rave_core.fingerprint.buffers import Write

_OTHERS = frozenset({*sys.stdlib_module_names, "numpy", "pandas", "polars", "pyarrow", "rave_core"})


class _Collector(threading.local):
    met: dict[int, object] | None = None


collector = _Collector()
"""Where the code that a thread meets goes; nothing is collected while ``met`` is ``None``."""


Met: TypeAlias = dict[int, object]
"""Functions and classes by ``id``."""


def begin_collecting() -> tuple[Met, Met | None]:
    """Collects the code that this thread meets from now on; also returns the argument of `end_collecting`."""
    before, met = collector.met, dict[int, object]()
    collector.met = met
    return met, before


def end_collecting(before: Met | None) -> None:
    """Ends the collecting that `begin_collecting` began."""
    collector.met = before


@contextmanager
def collecting() -> Iterator[Met]:
    """Collects the code that this thread meets in the block."""
    met, before = begin_collecting()
    try:
        yield met
    finally:
        end_collecting(before)


def note_code(thing: object) -> bool:
    """Notes a function or a class; returns whether a collection is under way."""
    if collector.met is None:
        return False
    collector.met[id(thing)] = thing
    return True


def noting(cls: type, put: Any) -> Any:
    """``put``, which encodes instances of ``cls``; also notes the class if it may be user code."""
    if issubclass(cls, type):

        def put_noted_class(value: Any, write: Write, inside: set[int]) -> None:
            if _may_be_own(value):
                note_code(value)
            put(value, write, inside)

        return put_noted_class
    if not _may_be_own(cls):
        return put

    def put_noted(value: Any, write: Write, inside: set[int]) -> None:
        note_code(cls)
        put(value, write, inside)

    return put_noted


def _may_be_own(cls: type) -> bool:
    module = cls.__module__
    return not isinstance(module, str) or module.partition(".")[0] not in _OTHERS
