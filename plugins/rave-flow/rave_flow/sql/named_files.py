"""Files that options name: sets of addresses, tuples and prefix maps.

A text is a name in the settings, so that nobody over HTTP can have any file read; a `pathlib.Path` is a file. What is
read is kept for as long as the file's size and time stay.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from rave_flow.model.address_set import AddressSet
from rave_flow.model.flow_settings import flow_settings

T = TypeVar("T")


def path_of(value: Any, table: str) -> Path:
    """The file that a path is, or that a text names in the table ``table`` of ``[plugins.flow]``.

    Raises:
        TypeError: neither.
        ValueError: the name is not configured.
    """
    if isinstance(value, os.PathLike):
        return Path(value)
    if not isinstance(value, str):
        raise TypeError(f"expected a path, or a name in [plugins.flow.{table}]")
    named = _named(table)
    if value.strip() not in named:
        known = f"known: {', '.join(sorted(named))}" if named else "it names none"
        raise ValueError(f"{value!r} is not a name in [plugins.flow.{table}]; {known}")
    return Path(named[value.strip()]).expanduser()


def is_named(value: str, table: str) -> bool:
    """Whether ``value`` is a name in the table ``table`` of ``[plugins.flow]``."""
    return value in _named(table)


def _named(table: str) -> Mapping[str, Any]:
    return flow_settings().tables[table]


def read(path: Path, parse: Callable[[Path], T]) -> T:
    """What ``parse`` makes of a file, parsed again if the file changed.

    Raises:
        ValueError: the file can't be read, or holds something else; the message names it.
    """
    try:
        found = path.stat()
        return _parsed(path, parse, found.st_size, found.st_mtime_ns, found.st_ino)  # type: ignore[return-value]  # what hints would refuse
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror}") from None


@lru_cache(maxsize=32)
def _parsed(path: Path, parse: Callable[[Path], object], _size: int, _mtime: int, _inode: int) -> object:
    return parse(path)


def to_set(value: Any) -> AddressSet:
    """A set of addresses: one as it is, or that of a file, named in ``[plugins.flow.sets]`` if it is text.

    Raises:
        TypeError, ValueError: anything else.
    """
    return value if isinstance(value, AddressSet) else read(path_of(value, "sets"), AddressSet.load)
