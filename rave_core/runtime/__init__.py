"""What is open: settings, plugins and a clock, with the caches and the engine that they give."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rave_core.runtime.runtime import Runtime


def __getattr__(name: str) -> Callable[[], Runtime]:
    """The former name of a public function, deprecated until 2027-06."""
    if name != "current":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from rave_core.runtime.runtime import current_runtime

    warnings.warn("rave_core.runtime.current() is now rave_core.current_runtime()", DeprecationWarning, stacklevel=2)
    return current_runtime
