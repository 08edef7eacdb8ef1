"""Which failures another run may mend."""

from __future__ import annotations

from typing import Final

from rave_core.errors import ArgumentError, OperationError, TimeLimitError
from rave_http.executors import BusyError, UnfitWorkerError

_FINAL: Final = (OperationError, ArgumentError, TimeLimitError, BusyError, UnfitWorkerError)


def is_worth_another_run(error: Exception | None) -> bool:
    """Whether a body that failed with ``error`` may succeed if it runs again; ``None`` is no failure."""
    return error is not None and not isinstance(error, _FINAL)
