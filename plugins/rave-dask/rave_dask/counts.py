"""What a process counts of its cluster, in ``logging.statistics["Dask"]``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

NAMESPACE: Final = "Dask"
_COUNTED: Final = ("Started", "Run Again", "Lost")


def install(facts: dict[str, Callable[[dict[str, Any]], object]]) -> dict[str, Any]:
    """The statistics of this process: counters that go on, and ``facts``, which are asked when somebody looks.

    A later cluster of the same process takes the place of an earlier one.
    """
    repository: dict[str, Any] = vars(logging).setdefault("statistics", {})
    shared: dict[str, Any] = repository.setdefault(NAMESPACE, {"Enabled": True, **dict.fromkeys(_COUNTED, 0)})
    shared.update(facts)
    return shared


def count(statistics: dict[str, Any], what: str) -> None:
    """Counts one more, unless the statistics are paused."""
    if statistics["Enabled"]:
        statistics[what] += 1
