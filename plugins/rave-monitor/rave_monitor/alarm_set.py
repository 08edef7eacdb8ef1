"""All alarms of a monitor: their states, and what people have to hear of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from rave_monitor.alarm import Alarm
from rave_monitor.checkpoint import AlarmState, Notice


class AlarmSet:
    """Alarms at work. One thread uses it.

    Attributes:
        states: by name.
        outbox: what has still to be delivered, oldest first.
    """

    def __init__(self, monitor: str, publish: Callable[[str, dict[str, Any]], None]) -> None:
        """Begins with no alarms; ``publish`` gets the topic and the data of an event."""
        self.states: dict[str, AlarmState] = {}
        self.outbox: list[Notice] = []
        self._monitor, self._publish = monitor, publish
        self._alarms: tuple[Alarm, ...] = ()

    def resume(self, states: Mapping[str, AlarmState], outbox: Iterable[Notice]) -> None:
        """Goes on from a checkpoint."""
        self.states, self.outbox = dict(states), list(outbox)

    def use(self, alarms: tuple[Alarm, ...], *, are_all: bool = True) -> None:
        """Works by these rules from now on. States stay by name; if they ``are_all``, those of others are dropped."""
        self._alarms = alarms
        states = {each.name: self.states.get(each.name, AlarmState()) for each in alarms}
        self.states = states if are_all else {**self.states, **states}

    def look(self, latest: Mapping[str, Mapping[str, Any]], time: float, now: float) -> None:
        """Looks at new samples.

        Args:
            latest: the samples, by processor.
            time: of these, in Unix seconds.
            now: Unix seconds.
        """
        for alarm in self._alarms:
            state = alarm.next(self.states[alarm.name], latest, time)
            news = alarm.news(state, now)
            if news is not None:
                state = replace(state, told=news == "firing")
                self._tell(alarm, news, state, {name: latest.get(name) for name in sorted(alarm.when.processors)})
            self.states[alarm.name] = state

    def forget(self, delivered: set[str]) -> bool:
        """Drops what was delivered from the outbox; returns whether there was any."""
        before = len(self.outbox)
        self.outbox = [each for each in self.outbox if each.id not in delivered]
        return len(self.outbox) != before

    def status(self, now: float) -> list[dict[str, Any]]:
        """How they are, for people elsewhere."""
        return [
            {
                "name": each.name,
                "state": "muted" if each.is_muted(now) else self.states[each.name].state,
                "since": self.states[each.name].since,
                "severity": each.severity,
                "when": each.when.text,
            }
            for each in self._alarms
        ]

    def _tell(self, alarm: Alarm, news: str, state: AlarmState, samples: dict[str, Any]) -> None:
        about = {
            "namespace": "monitor", "monitor": self._monitor, "alarm": alarm.name, "state": news,
            "severity": alarm.severity, "when": alarm.when.text, "since": state.since, "samples": samples,
        }  # fmt: skip
        self._publish(f"alarm.{news}", about)
        for number, url in enumerate(alarm.notify):
            identifier = f"{self._monitor}.{alarm.name}.{news}.{state.since:.3f}.{number}"
            self.outbox.append(Notice(identifier, url, state.since, about))
