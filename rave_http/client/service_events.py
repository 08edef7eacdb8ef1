"""What happens in a service: its stream of events, followed across restarts and dropped connections."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from rave_http.client.ask import Ask
from rave_http.client.deadline import NEVER, Limits
from rave_http.client.errors import ConnectionFailed, UnexpectedAnswer
from rave_http.client.events import MEDIA_TYPE, Event, events
from rave_http.client.requester import Requester, problem_of

OPEN: Final = "events.open"
"""The topic of the event that starts a stream: what happens from now on will come."""

LOST: Final = "events.lost"
"""The topic of the event that says that events are missing: their ``count``, or ``None``, and the ``reason``."""

_PAUSE: Final = 0.2


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """Something that happened.

    Attributes:
        topic: such as ``namespace.loaded``; `OPEN` and `LOST` are of the stream itself.
        data: what it says of itself.
        time: when it was published, in Unix seconds by the clock of its publisher; 0 for those of the stream itself.
        origin: the process that published it; empty for those of the stream itself.
    """

    topic: str
    data: dict[str, Any]
    time: float = 0.0
    origin: str = ""


def service_events(requester: Requester, base: str, topics: Sequence[str]) -> Generator[ServiceEvent, None, None]:
    """The events of a service from now on; it connects again as long as the service comes back.

    Args:
        requester: sends.
        base: the service's URL.
        topics: patterns; none for all topics.

    Raises:
        ServiceError: there is a problem.
        ConnectionFailed: the service can't be reached.
        UnexpectedAnswer: the answer does not come from a RAVE service.
    """
    query = urlencode([("topic", topic) for topic in topics])
    ask = Ask(f"{base}/-/events{'?' if query else ''}{query}", {"Accept": MEDIA_TYPE})
    broken = ""
    while True:
        response = requester.answer(ask, Limits(), is_known=bool(broken), tell=lambda _: None)
        if response.status_code != 200:
            raise problem_of(response)
        if not response.headers.get("Content-Type", "").startswith(MEDIA_TYPE):
            response.close()
            raise UnexpectedAnswer(f"{ask.url}: it is not a stream of events")
        if broken:
            yield ServiceEvent(LOST, {"count": None, "reason": broken})
        broken = "the service ended the stream"
        try:
            for event in events(response, NEVER):
                yield _read(event)
        except ConnectionFailed as error:
            broken = str(error)
        finally:
            response.close()
        NEVER.pause(_PAUSE)


def _read(event: Event) -> ServiceEvent:
    found = event.data if isinstance(event.data, dict) else {}
    if event.name in (OPEN, LOST):
        return ServiceEvent(event.name, found)
    data, time = found.get("data"), found.get("time")
    return ServiceEvent(
        event.name,
        data if isinstance(data, dict) else {},
        time if isinstance(time, float) else 0.0,
        str(found.get("origin", "")),
    )
