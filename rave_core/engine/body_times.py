"""How long bodies take, to tell for which of them a lease costs more than it saves."""

from __future__ import annotations

_ENOUGH = 16
"""Runs after which a mean says something."""
_MEMORY = 64
"""Runs from which on an earlier one counts for less and less."""


class BodyTimes:
    """The mean run time of each operation's body in this process. Safe for many threads: at most a run is not counted.

    A lease takes a third of a miss in a directory. For a body that is quicker, two processes lose less if both run it
    now and then, which is as right: a lease saves work, and nothing else.
    """

    def __init__(self, lease_from: float) -> None:
        """A body whose mean is below ``lease_from`` seconds is quick."""
        self._lease_from = lease_from
        self._known: dict[str, tuple[int, float]] = {}

    def add(self, operation: str, seconds: float) -> None:
        """Counts a run. A slow one among quick ones weighs as much as it took."""
        runs, mean = self._known.get(operation, (0, 0.0))
        self._known[operation] = runs + 1, mean + (seconds - mean) / min(runs + 1, _MEMORY)

    def is_quick(self, operation: str) -> bool:
        """Whether no lease is needed for a run; never before the operation has run 16 times in this process."""
        runs, mean = self._known.get(operation, (0, 0.0))
        return runs >= _ENOUGH and mean < self._lease_from
