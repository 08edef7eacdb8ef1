"""The options of a call: the ``rave_…`` keywords next to the arguments."""

from __future__ import annotations

from typing import Any

from rave_core.errors import OptionError, nearest
from rave_core.model import PLAIN, OperationSpec, Options

OPTIONS = frozenset({"rave_refresh", "rave_deep_refresh", "rave_dry_run", "rave_timeout", "rave_tofile"})
"""The names that a caller may write; each is a field of `Options`."""


def take_options(name: str, kwargs: dict[str, Any]) -> tuple[Options, dict[str, Any]]:
    """The options among the keyword arguments of a call of operation ``name``, and the arguments without them.

    Raises:
        OptionError: a name starts with ``rave_`` and is no option.
    """
    given = {key: value for key, value in kwargs.items() if key.startswith("rave_")}
    if not given:
        return PLAIN, kwargs
    for key in given.keys() - OPTIONS:
        known = ", ".join(sorted(OPTIONS))
        raise OptionError(f"{name}: unknown option {key!r}; {nearest(key, OPTIONS)} (known: {known})")
    options = Options(**{key.removeprefix("rave_"): value for key, value in given.items()})
    return options, {key: value for key, value in kwargs.items() if key not in given}


def check_tofile(spec: OperationSpec, name: str) -> None:
    """Refuses ``rave_tofile`` for an operation that makes no file.

    Raises:
        OptionError: it makes none.
    """
    if not spec.kind.is_written:
        raise OptionError(f"{name}: rave_tofile is for file operations (@op_file); this one returns its value")
