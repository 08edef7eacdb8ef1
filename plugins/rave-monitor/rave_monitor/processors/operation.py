"""``operation``: what an operation gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rave_core import current_runtime, find_operation, using
from rave_core.errors import UnknownNameError
from rave_monitor.processor import Processor


class CalledOperation(Processor):
    """Calls an operation each period. Its sample: the result, if that is a dict with names; else ``value``, the result.

    The call is one like any other: while a kept result has not expired, the body does not run.
    """

    def __init__(self, *, operation: str, arguments: Mapping[str, Any] | None = None) -> None:
        """Calls ``operation``, such as ``flow/count``, with ``arguments`` by name."""
        try:
            self._operation = find_operation(operation)
        except UnknownNameError as error:
            raise ValueError(str(error)) from None
        self._arguments = dict(arguments or {})
        self._runtime = current_runtime()

    def sample(self) -> dict[str, Any]:
        """Calls it, in the runtime of the monitor."""
        with using(self._runtime):
            result = self._operation(**self._arguments)
        is_named = isinstance(result, dict) and all(isinstance(key, str) for key in result)
        return result if is_named else {"value": result}
