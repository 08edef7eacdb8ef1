"""The paths of woodstock: the latest value of a key, and its values in a range of time."""

from __future__ import annotations

import math
from typing import Final

from falcon.asgi import Request, Response

from rave_core import OperationError
from rave_http.hookspecs import ResourceContext
from rave_monitor.arguments import MonitorChoice
from rave_monitor.sample_history import NAME
from rave_monitor.settings import MonitorSettings

SPANS: Final = {
    "hour": 3600.0, "day": 86400.0, "week": 7 * 86400.0, "month": 30 * 86400.0, "year": 365 * 86400.0, "all": math.inf,
}  # fmt: skip
UNITS: Final = {"m": 60.0, "s": 1.0}
_OWN: Final = ("monitor", "unit")


def choice_of(context: ResourceContext, req: Request) -> MonitorChoice:
    """The monitor that a request asks for: ``?monitor=NAME``, by default ``monitor``.

    Raises:
        Problem: it can't be the name of one.
    """
    name = req.get_param("monitor") or "monitor"
    if not NAME.fullmatch(name):
        raise context.Problem("bad-arguments", f"monitor is {name!r}: expected letters, digits, '-' and '_'")
    return MonitorChoice(name, MonitorSettings.url(context.settings))


class LatestValue:
    """``/-/monitor/{processor}/{key}``."""

    def __init__(self, context: ResourceContext) -> None:
        self._context = context

    def on_get(self, req: Request, resp: Response, processor: str, key: str) -> None:
        """The latest value of a key, as JSON."""
        found = choice_of(self._context, req).history.latest(processor, key)
        if found is None:
            raise self._context.Problem("not-found", f"no sample of {processor!r} has {key!r}")
        self._context.send_json(resp, found[1])


class ValueRange:
    """``/-/monitor/{processor}/{key}/{span}``."""

    def __init__(self, context: ResourceContext) -> None:
        self._context = context

    def on_get(self, req: Request, resp: Response, processor: str, key: str, span: str) -> None:
        """The values of a key in a range: ``[time, value]``, newest first; in minutes, or by ``?unit=s`` seconds.

        The range is ``{start}..{end}``, or ``hour``, ``day``, ``week``, ``month``, ``year`` or ``all`` until now.
        ``?processor.key=value`` leaves the times at which another value was so.
        """
        unit = self._unit(req)
        start, end = self._range(span, unit)
        try:
            found = choice_of(self._context, req).history.series(processor, key, start, end, self._cuts(req))
        except OperationError as error:
            raise self._context.Problem("bad-arguments", str(error)) from None
        if not found:
            raise self._context.Problem("not-found", f"no sample of {processor!r} in this range has {key!r} and fits")
        self._context.send_json(resp, [[_short(time / unit), value] for time, value in found])

    def _unit(self, req: Request) -> float:
        name = req.get_param("unit") or "m"
        if name not in UNITS:
            raise self._context.Problem("bad-arguments", f"unit is {name!r}: expected 'm' for minutes, or 's'")
        return UNITS[name]

    def _range(self, span: str, unit: float) -> tuple[float, float]:
        """Seconds from and to, the end not included."""
        now = self._context.runtime.clock.now()
        if span in SPANS:
            return max(now - SPANS[span], 0.0), now + 1.0
        start, dots, end = span.partition("..")
        try:
            found = (float(start) * unit, float(end) * unit)
        except ValueError:
            found = (math.nan, math.nan)
        if not dots or not all(map(math.isfinite, found)):
            known = ", ".join(SPANS)
            raise self._context.Problem("not-found", f"{span!r} is no range: expected start..end, or one of {known}")
        if found[1] < found[0]:
            raise self._context.Problem("not-found", f"the range {span!r} is reversed: it ends before it starts")
        return found

    def _cuts(self, req: Request) -> list[str]:
        """The parameters that cut, such as ``state.is=up``."""
        cuts = {name: value for name, value in req.params.items() if name not in _OWN}
        for name, value in cuts.items():
            if isinstance(value, list):
                raise self._context.Problem("bad-arguments", f"{name!r} is given twice: a value can't be two at a time")
        return [f"{name}={value}" for name, value in cuts.items()]


def _short(number: float) -> float | int:
    return int(number) if number.is_integer() else number
