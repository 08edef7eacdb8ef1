"""The page of a monitor: its latest samples, alarms and troubles. It loads itself anew every few seconds."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from falcon.asgi import Request, Response

from rave_http.hookspecs import ResourceContext
from rave_monitor.arguments import MonitorChoice
from rave_monitor.page_tags import PageTags, alarms_as_html, is_number, text_of
from rave_monitor.page_template import render_page
from rave_monitor.sample_history import NAME
from rave_monitor.settings import MonitorSettings
from rave_monitor.value_resources import choice_of

_REFRESH: Final = "5"
_MOST_CELLS: Final = 12
_STALE: Final = 10.0
_STYLE: Final = """
.monitor td { vertical-align: top; }
.monitor img, img.sparkline { height: 2.2em; }
img.plot, img.histogram { max-width: 100%; }
.alarm-firing, .tag-error { color: #b00020; font-weight: bold; }
"""


class MonitorPage:
    """``/-/monitor``."""

    def __init__(self, context: ResourceContext) -> None:
        self._context = context

    def on_get(self, req: Request, resp: Response) -> None:
        """How a monitor is, and its latest samples: as JSON, or as a page that loads itself anew.

        ``?page=NAME`` is a page that somebody wrote.
        """
        choice = choice_of(self._context, req)
        status = choice.store.status()
        is_page = self._context.prefers(req, "application/json", "text/html") == "text/html"
        if status is None:
            names = choice.store.monitors()
            if is_page and req.get_param("monitor") is None:
                self._context.send_page(resp, "Monitors", _monitors(names, self._context.links.base))
                return
            known = ", ".join(names) or "there is none yet"
            raise self._context.Problem("not-found", f"there is no monitor {choice.name!r}; known: {known}")
        if is_page:
            resp.set_header("Refresh", _REFRESH)
            name = req.get_param("page")
            content = self._written(choice, status, name) if name else self._content(choice, status)
            self._context.send_page(resp, name or f"Monitor {choice.name}", content, style=_STYLE)
        else:
            body = {"monitor": choice.name, "status": status, "samples": self._samples(choice, status)}
            self._context.send_json(resp, body)

    def _written(self, choice: MonitorChoice, status: dict[str, Any], name: str) -> str:
        """A page out of the journal of pages."""
        journal = str(MonitorSettings.of(self._context.settings).pages)
        document = self._context.documents.get(f"journal:{journal}", name) if NAME.fullmatch(name) else None
        if document is None or document.payload is None:
            raise self._context.Problem("not-found", f"there is no page {name!r} in the journal {journal!r}")
        now, base = self._context.runtime.clock.now(), self._context.links.base
        tags = PageTags(choice, base, now, status["alarms"])
        return render_page(document.payload.decode("utf-8", "backslashreplace"), tags)

    def _samples(self, choice: MonitorChoice, status: dict[str, Any]) -> dict[str, Any]:
        """The latest sample of each processor that has one."""
        found = {}
        for each in status["processors"]:
            for sample in choice.store.samples(each["name"], 0.0, 1e18, limit=1):
                found[each["name"]] = {"time": sample.time, "values": sample.values}
        return found

    def _content(self, choice: MonitorChoice, status: dict[str, Any]) -> str:
        samples = self._samples(choice, status)
        age = self._context.runtime.clock.now() - status["written"]
        state = "" if age < max(_STALE, 5 * status["period"]) else " <b>Nobody leads it since.</b>"
        rows = "".join(self._row(choice, each, samples.get(each["name"])) for each in status["processors"])
        return (
            f"<p>{status['events']} events until {_time(status['written'])} UTC, by {_text(status['host'])}.{state}</p>"
            f"{_alarms(status['alarms'])}"
            f'<table class="monitor"><tr><th>Processor</th><th>Latest sample</th><th>Last hour</th></tr>{rows}</table>'
            f"{_troubles(status)}"
        )

    def _row(self, choice: MonitorChoice, processor: dict[str, Any], sample: dict[str, Any] | None) -> str:
        values = {} if sample is None else sample["values"]
        shown = "".join(
            f"<dt>{_text(name)}</dt><dd>{text_of(each)}</dd>" for name, each in [*values.items()][:_MOST_CELLS]
        )
        if processor["error"]:
            shown = f"<b>disabled: {_text(processor['error'])}</b>{shown}"
        pictures = "".join(self._picture(choice, processor["name"], key) for key in _numbers(values))
        return f"<tr><td>{_text(processor['name'])}</td><td><dl>{shown}</dl></td><td>{pictures}</td></tr>"

    def _picture(self, choice: MonitorChoice, processor: str, key: str) -> str:
        query = urlencode({"processor": processor, "key": key, "monitor": choice.name})
        base, label = self._context.links.base, _text(f"{processor}.{key}")
        small, large = (_text(f"{base}/monitor/{name}/svg?{query}") for name in ("sparkline", "plot"))
        return f'<a href="{large}"><img src="{small}" alt="{label}" title="{label}"></a> '


def _alarms(alarms: list[dict[str, Any]]) -> str:
    items = "".join(f"<li>{each}</li>" for each in alarms_as_html(alarms))
    return f"<h2>Alarms</h2><ul>{items}</ul>" if items else ""


def _troubles(status: dict[str, Any]) -> str:
    """What a person should know."""
    parts = [*status["readers"], *status.get("writers", [])]
    found = [f"{each['name']}: {each['trouble']}" for each in parts if each["trouble"]]
    found += [*status["notices"], *status.get("rules", [])]
    found += filter(None, [status["reload_error"], status["notify_trouble"]])
    items = "".join(f"<li>{_text(each)}</li>" for each in found)
    return f"<h2>Notices</h2><ul>{items}</ul>" if items else ""


def _monitors(names: list[str], base: str) -> str:
    """What a person sees who follows the menu where no monitor has the usual name."""
    if not names:
        return "<p>No monitor has run yet. <code>rave monitor run CONFIG</code> runs one.</p>"
    items = "".join(f'<li><a href="{_text(base)}/-/monitor?monitor={name}">{name}</a></li>' for name in names)
    return f"<ul>{items}</ul>"


def _numbers(values: dict[str, Any]) -> list[str]:
    """The keys of the first few numbers, of which there are pictures."""
    return [key for key, value in values.items() if is_number(value)][:3]


def _text(value: object) -> str:
    return html.escape(str(value))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
