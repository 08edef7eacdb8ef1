"""The tags of a written page: values, pictures and alarms of a monitor."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from rave_core.errors import nearest
from rave_monitor.arguments import MonitorChoice
from rave_monitor.page_template import TagError
from rave_monitor.sample_history import MISSING, NAME, value_at
from rave_monitor.value_resources import SPANS

_PICTURES: Final = ("plot", "sparkline", "histogram")


def text_of(value: object) -> str:
    """A value of a sample as HTML."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return html.escape(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def is_number(value: object) -> bool:
    """Whether there can be a picture of a value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def alarms_as_html(alarms: list[dict[str, Any]]) -> list[str]:
    """Each alarm with its state."""
    return [
        f'<span class="alarm-{html.escape(each["state"])}">{html.escape(each["name"])}: {html.escape(each["state"])} '
        f"({html.escape(each['severity'])}; {html.escape(each['when'])})</span>"
        for each in alarms
    ]


class PageTags:
    """Fills tags in, for one answer. Samples are read once for each processor."""

    def __init__(self, choice: MonitorChoice, base: str, now: float, alarms: list[dict[str, Any]]) -> None:
        """Fills in what a monitor sampled; ``base`` is the URL of the service."""
        self._choice, self._base, self._now, self._alarms = choice, base, now, alarms
        self._latest: dict[str, Mapping[str, Any] | None] = {}
        self._known: dict[str, Callable[[list[str]], str]] = {
            "value": self._value,
            "alarms": self._list,
            **{name: lambda words, name=name: self._picture(name, words) for name in _PICTURES},  # type: ignore[misc]  # mypy knows no default of a lambda
        }

    def __call__(self, name: str, words: list[str]) -> str:
        """The HTML of a tag.

        Raises:
            TagError: it can't be filled in; the message says why.
        """
        if name not in self._known:
            raise TagError(f"there is no such tag; {nearest(name, self._known)}")
        return self._known[name](words)

    def _value(self, words: list[str]) -> str:
        if len(words) != 1:
            raise TagError("expected {value processor.key}")
        return text_of(self._latest_of(words[0])[2])

    def _list(self, words: list[str]) -> str:
        if words:
            raise TagError("expected {alarms}")
        return "<br>".join(alarms_as_html(self._alarms)) or "no alarms"

    def _picture(self, name: str, words: list[str]) -> str:
        if not 1 <= len(words) <= 2:
            raise TagError(f"expected {{{name} processor.key}} or {{{name} processor.key day}}")
        span = words[1] if len(words) == 2 else "hour"
        if span not in SPANS:
            raise TagError(f"there is no range {span!r}; {nearest(span, SPANS)}")
        processor, key, value = self._latest_of(words[0])
        if not is_number(value):
            raise TagError(f"its latest value is no number: {json.dumps(value, ensure_ascii=False)[:80]}")
        start = {"start": f"{max(self._now - SPANS[span], 0.0):.0f}"} if span != "hour" else {}
        query = urlencode({"processor": processor, "key": key, "monitor": self._choice.name, **start})
        image, large = (html.escape(f"{self._base}/monitor/{each}/svg?{query}") for each in (name, "plot"))
        label = html.escape(words[0])
        return f'<a href="{large}"><img class="{name}" src="{image}" alt="{label}" title="{label}"></a>'

    def _latest_of(self, path: str) -> tuple[str, str, Any]:
        """Processor, key and latest value of ``processor.key``."""
        processor, _, key = path.partition(".")
        if not NAME.fullmatch(processor) or not key:
            raise TagError("expected processor.key, such as count.rate")
        if processor not in self._latest:
            found = self._choice.store.samples(processor, 0.0, 1e18, limit=1)
            self._latest[processor] = found[0].values if found else None
        values = self._latest[processor]
        if values is None:
            raise TagError(f"there is no sample of {processor!r}")
        value = value_at(values, key)
        if value is MISSING:
            raise TagError(f"the latest sample of {processor!r} has no {key!r}; {nearest(key, values)}")
        return processor, key, value
