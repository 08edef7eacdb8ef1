"""An alarm: a rule on samples, and its state, which outlives every restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from rave_monitor.checkpoint import AlarmState
from rave_monitor.condition import Condition


@dataclass(frozen=True, slots=True)
class Alarm:
    """A rule.

    Attributes:
        name: of the alarm.
        when: it fires when this holds.
        clear: it clears when this holds, and does not fire; ``None`` for when ``when`` does not hold.
        seconds: how long ``when`` has to hold before it fires.
        severity: a word for people.
        notify: URLs to which firing and clearing are posted, and names of writers that tell them.
        muted_until: it is silent until then, in Unix seconds.
    """

    name: str
    when: Condition
    clear: Condition | None
    seconds: float
    severity: str
    notify: tuple[str, ...]
    muted_until: float

    def next(self, state: AlarmState, latest: Mapping[str, Mapping[str, Any]], time: float) -> AlarmState:
        """The state after a sample. What can't be known, because a value is missing, changes nothing.

        Args:
            state: from before.
            latest: the samples, by processor.
            time: of these, in Unix seconds.
        """
        holds = self.when.holds(latest)
        is_over = holds is False if self.clear is None else self.clear.holds(latest) is True
        holds = False if is_over else holds  # else it would fire and clear in turn while both conditions hold
        if state.state == "firing":
            return replace(state, state="ok", since=time) if is_over else state
        if holds is False and state.state == "pending":
            return replace(state, state="ok", since=time)
        if holds and (state.state == "ok" or state.since > time):  # the clock may have gone back
            state = replace(state, state="pending", since=time)
        if holds and time - state.since >= self.seconds:
            state = replace(state, state="firing", since=time)
        return state

    def news(self, state: AlarmState, now: float) -> str | None:
        """What people should hear now: ``firing`` or ``cleared``; ``None`` if they know, or it is muted."""
        if self.is_muted(now) or (state.state == "firing") == state.told:
            return None
        return "firing" if state.state == "firing" else "cleared"

    def is_muted(self, now: float) -> bool:
        """Whether it is silent."""
        return now < self.muted_until
