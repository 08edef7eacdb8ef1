"""Events: what happens, as it happens, for code that subscribes to it.

    with runtime.events.subscribe("namespace.*", print):
        ...

An event is news, not a record: it reaches a subscriber once or not at all. Read the state of things where it is kept,
and use events to learn that it is time to look.
"""

from rave_core.events.bus import Bus, BusFactory
from rave_core.events.event import Event, Loss
from rave_core.events.events import Events
from rave_core.events.listening_bus import ListeningBus
from rave_core.events.stream import EventStream
from rave_core.events.subscription import Subscription
from rave_core.events.topics import check_pattern, check_topic, matches

__all__ = [
    "Bus",
    "BusFactory",
    "Event",
    "EventStream",
    "Events",
    "ListeningBus",
    "Loss",
    "Subscription",
    "check_pattern",
    "check_topic",
    "matches",
]
