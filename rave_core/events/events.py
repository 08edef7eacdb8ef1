"""`Events`: where a process publishes what happens, and subscribes to it."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeAlias

from rave_core.clock import Clock
from rave_core.events.bus import Bus
from rave_core.events.event import Event, EventData, Loss
from rave_core.events.outbox import Outbox
from rave_core.events.stream import EventStream
from rave_core.events.subscription import Subscription
from rave_core.events.topics import check_topic, matches
from rave_core.events.wire import Receiver

_Subscriber: TypeAlias = Subscription | EventStream
_Route: TypeAlias = tuple[_Subscriber, ...]

QUEUE = 1000
"""Events that wait for one subscriber, at most."""

_MOST_ROUTES = 1000
_log = logging.getLogger("rave.events")


class Events:
    """The events of one runtime. Safe for many threads and event loops.

    Delivery is at most once. Publishing never waits: a subscriber that is slower than the events loses the oldest, and
    learns how many. A forked child starts without the subscriptions of its parent.
    """

    def __init__(self, clock: Clock, connect: Callable[[], Bus | None] = lambda: None) -> None:
        """Connects nothing yet.

        Args:
            clock: the source of times.
            connect: makes the bus that reaches other processes, or ``None`` for none; called when first needed.
        """
        self._clock = clock
        self._connect = connect
        self._begin()

    def _begin(self) -> None:
        self.origin = f"{socket.gethostname()}/{os.getpid()}/{os.urandom(4).hex()}"
        self._lock = threading.RLock()
        self._receiving = threading.Lock()
        self._subscribers: dict[_Subscriber, Callable[[str], bool]] = {}
        self._routes: dict[str, _Route] = {}
        self._receiver = Receiver(self.origin)
        self._bus: Bus | None = None
        self._outbox: Outbox | None = None
        self._is_connected = self._is_listening = False

    def publish(self, topic: str, data: EventData) -> None:
        """Publishes an event to all subscribers of its topic, here and where the bus leads. Never waits.

        Args:
            topic: words joined by dots, such as ``report.ready``.
            data: names and values that JSON has. The event keeps a shallow copy.

        Raises:
            TopicError: ``topic`` is none.
        """
        route = self._routes.get(topic)
        if route is None:
            route = self._route(topic)
        bus = self._bus
        is_wanted = bus is not None and bus.is_wanted
        if not route and not is_wanted:
            return
        event = Event(topic, dict(data), self._clock.now(), self.origin)
        for subscriber in route:
            subscriber.mailbox.put(event)
        if is_wanted and self._outbox is not None:
            self._outbox.put(event)

    @property
    def is_subscribed(self) -> bool:
        """Whether this process has any subscriber."""
        return bool(self._subscribers)

    @property
    def has_listeners(self) -> bool:
        """Whether anybody may hear of anything."""
        bus = self._bus
        return bool(self._subscribers) or (bus is not None and bus.is_wanted)

    def is_heard(self, topic: str) -> bool:
        """Whether anybody may hear of a topic: ask before you gather data that costs something."""
        route = self._routes.get(topic)
        if route is None:
            route = self._route(topic)
        bus = self._bus
        return bool(route) or (bus is not None and bus.is_wanted)

    def subscribe(
        self,
        topics: str | Iterable[str],
        callback: Callable[[Event], object],
        *,
        on_lost: Callable[[Loss], object] | None = None,
        queue: int = QUEUE,
    ) -> Subscription:
        """Calls ``callback`` with each event whose topic matches, in a thread of its own, until it is closed.

        Args:
            topics: one pattern or several: topics in which ``*`` stands for any text.
            callback: gets the events, one at a time. It runs in a copy of the caller's context variables.
            on_lost: gets what was lost before the next event; without it a loss is logged.
            queue: events that may wait for the callback.

        Raises:
            TopicError: one is not a pattern.
        """
        match = matches(topics)
        subscription = Subscription(callback, on_lost, queue, self._leave)
        self._enter(subscription, match)
        return subscription

    def stream(self, topics: str | Iterable[str], *, queue: int = QUEUE) -> EventStream:
        """As `subscribe`, for a task of the running event loop, which takes the events itself.

        Raises:
            TopicError: one is not a pattern.
        """
        match = matches(topics)
        stream = EventStream(queue, self._leave)
        self._enter(stream, match)
        return stream

    def attach(self, bus: Bus) -> None:
        """Reaches other processes by ``bus`` in place of the configured one; the events close it."""
        with self._lock:
            self._is_connected = True
            self._use(bus)
            if self._subscribers:
                self._listen()

    def relay(self, message: bytes) -> None:
        """Publishes the events in a message of a child process, which has no bus of its own."""
        events, missing = Receiver(self.origin).read(message)
        if missing:
            self._tell(missing, "they were dropped between the processes")
        for event in events:
            self.publish(event.topic, event.data)

    def check(self) -> str | None:
        """What is wrong with the bus, in words; ``None`` if nothing is."""
        bus = self._bus
        return None if bus is None else bus.check()

    def close(self) -> None:
        """Ends all subscriptions, and disconnects after a moment for what waits. Used again, it opens again."""
        for subscriber in list(self._subscribers):
            subscriber.close()
        with self._lock:
            bus, outbox = self._bus, self._outbox
            self._begin_again()
        if outbox is not None:
            outbox.close()
        if bus is not None:
            bus.close()

    def after_fork(self) -> None:
        """In a forked child: forgets the parent's subscriptions, threads and connections."""
        self._begin()

    def _begin_again(self) -> None:
        self._routes, self._bus, self._outbox = {}, None, None
        self._is_connected = self._is_listening = False
        self._receiver = Receiver(self.origin)

    def _route(self, topic: str) -> _Route:
        check_topic(topic)
        with self._lock:
            if not self._is_connected:
                self._open()
            route = tuple(each for each, match in self._subscribers.items() if match(topic))
            if len(self._routes) >= _MOST_ROUTES:
                self._routes.clear()
            self._routes[topic] = route
        return route

    def _enter(self, subscriber: _Subscriber, match: Callable[[str], bool]) -> None:
        with self._lock:
            self._subscribers[subscriber] = match
            self._routes = {}
            if not self._is_connected:
                self._open()
            self._listen()

    def _leave(self, subscriber: _Subscriber) -> None:
        with self._lock:
            self._subscribers.pop(subscriber, None)
            self._routes = {}

    def _open(self) -> None:
        self._is_connected = True
        bus = self._connect()
        if bus is not None:
            self._use(bus)

    def _use(self, bus: Bus) -> None:
        self._outbox = Outbox(bus, self.origin, self._clock)
        self._bus = bus

    def _listen(self) -> None:
        if self._bus is not None and not self._is_listening:
            self._is_listening = True
            self._bus.listen(self._receive, partial(self._tell, None))

    def _receive(self, message: bytes) -> None:
        """Hands a message of the bus to the subscribers here."""
        with self._receiving:
            events, missing = self._receiver.read(message)
            if missing:
                self._tell(missing, "they were dropped between the processes")
            for event in events:
                for subscriber in self._routes.get(event.topic) or self._route_of(event.topic):
                    subscriber.mailbox.put(event)

    def _route_of(self, topic: str) -> _Route:
        try:
            return self._route(topic)
        except ValueError:
            _log.debug("an event of another process has no topic: %r", topic)
            return ()

    def _tell(self, count: int | None, reason: str) -> None:
        for subscriber in list(self._subscribers):
            subscriber.mailbox.tell(Loss(count, reason))
