"""``kafka``: a topic of Kafka."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rave_core.errors import StoreAwayError
from rave_monitor.reader import Event
from rave_monitor.readers.queued_reader import QueuedReader, values_of

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

_log = logging.getLogger("rave.monitor")
_BLOCK: Final = 0.5
"""Seconds that one question waits for news."""
_TIMEOUT: Final = 10.0
_MANY: Final = 1000
_QUESTIONS: Final = 20
"""After so many questions it looks whether a broker answers, and which partitions there are."""
_FIXED: Final = {
    "group.id": "rave-monitor",  # the library wants one; it joins none, since positions are the monitor's own
    "enable.auto.commit": False,
    "auto.offset.reset": "error",  # what was removed before it was read has to be told
}


class KafkaReader(QueuedReader):
    """Reads all partitions of a topic from their beginnings: each in its order, without order across them.

    A message whose value is a JSON object is that object, any other ``{"data": text}``, and one without a value has no
    data. ``key``, ``time`` in Unix seconds, ``partition`` and ``offset`` stand beside, unless a field is called so.
    """

    def __init__(self, *, servers: str, topic: str, options: dict[str, str | int | float | bool] | None = None) -> None:
        """Reads a topic.

        Args:
            servers: ``host:port``; several are joined by commas.
            topic: its name.
            options: of librdkafka, such as ``"security.protocol"``.
        """
        super().__init__()
        self._servers, self._topic, self._options = servers, topic, options or {}
        for key in ("bootstrap.servers", *_FIXED):
            if key in self._options:
                raise ValueError(f"options has {key!r}, which the reader sets itself: leave it out")
        if not servers or not topic:
            raise ValueError("servers or topic is empty: expected such as 'kafka.example.org:9092' and 'flows'")
        _consumer(self._options).close()  # it knows of no servers, so it connects to nothing

    def receive(self) -> None:
        """Reads until it is stopped, or there are other partitions.

        Raises:
            StoreAwayError: there is no such topic.
            KafkaException: no broker answers, or a partition can't be read.
        """
        from confluent_kafka import TopicPartition

        consumer = _consumer({**self._options, "bootstrap.servers": self._servers})
        try:
            partitions = self._partitions(consumer)
            mark = {str(each): self._begin(consumer, each) for each in partitions}
            consumer.assign([TopicPartition(self._topic, each, mark[str(each)]) for each in partitions])
            self.arrived([], mark)
            while not self.is_stopped and self._partitions(consumer) == partitions:
                self._read(consumer)
        finally:
            consumer.close()

    def _partitions(self, consumer: Consumer) -> list[int]:
        """The numbers of the partitions that there are."""
        topic = consumer.list_topics(self._topic, timeout=_TIMEOUT).topics[self._topic]
        if topic.error is not None:
            raise StoreAwayError(f"topic {self._topic!r}: {topic.error.str()}")
        return sorted(topic.partitions)

    def _begin(self, consumer: Consumer, partition: int) -> int:
        """The offset to go on with in a partition. What can't be read any more is told."""
        from confluent_kafka import TopicPartition

        wanted = (self.mark or {}).get(str(partition))
        first, end = consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=_TIMEOUT)
        if wanted is None or first <= wanted <= end:
            return first if wanted is None else int(wanted)
        place = f"partition {partition} of topic {self._topic!r}"
        if wanted < first:
            self.note(f"{place}: offsets {wanted} to {first - 1} were removed before they were read")
        else:
            self.note(f"{place} ends at offset {end}, but was read up to {wanted}: reads it from its beginning")
        return first

    def _read(self, consumer: Consumer) -> None:
        """Takes what comes for some seconds."""
        from confluent_kafka import KafkaException

        for _ in range(_QUESTIONS):
            messages = consumer.consume(_MANY, _BLOCK)
            if self.is_stopped:
                return
            taken = [each for each in messages if each.error() is None]
            if taken:
                mark = {str(each.partition()): (each.offset() or 0) + 1 for each in taken}
                self.arrived([_event(each) for each in taken], {**self.mark, **mark})
            failed = [each.error() for each in messages if each.error() is not None]
            if failed:
                raise KafkaException(failed[0])


def _consumer(options: Mapping[str, Any]) -> Consumer:
    """A client.

    Raises:
        ValueError: the library is not there, or does not know an option.
    """
    try:
        from confluent_kafka import Consumer, KafkaException
    except ImportError:
        raise ValueError("it needs confluent-kafka: pip install 'rave-monitor[kafka]'") from None
    try:
        return Consumer({**options, **_FIXED}, logger=_log)
    except KafkaException as error:
        raise ValueError(f"options: {error.args[0].str()}") from None


def _event(message: Message) -> Event:
    value, key, (_, time) = message.value(), message.key(), message.timestamp()
    event: Event = {"partition": message.partition(), "offset": message.offset()}
    if time >= 0:
        event["time"] = time / 1000
    if key is not None:
        event["key"] = _text(key)
    return event if value is None else event | values_of(_text(value))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
