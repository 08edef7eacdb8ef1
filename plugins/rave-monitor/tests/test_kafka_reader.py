"""A topic, from the broker that librdkafka brings for tests: it speaks Kafka's protocol on a port of the loopback."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer
from rave_monitor.readers import kafka, queued_reader
from rave_monitor.readers.kafka import KafkaReader

from rave_core.testing import free_port


class Broker:
    """A broker that keeps what it gets in memory, and makes topics of four partitions as they are named."""

    def __init__(self) -> None:
        options = {"bootstrap.servers": "none", "test.mock.num.brokers": 1}
        self._producer = Producer(options, logger=logging.getLogger("test.kafka"))
        [found] = self._producer.list_topics(timeout=20).brokers.values()
        self.address = f"{found.host}:{found.port}"

    def send(self, topic: str, *values: bytes | None, key: str | None = None, partition: int = 0) -> None:
        """Adds messages, and waits until they are there."""
        for value in values:
            self._producer.produce(topic, value, key, partition, timestamp=1_000_000_000_500)
        assert self._producer.flush(20) == 0


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    """A broker."""
    made = Broker()
    yield made
    del made


@pytest.fixture(autouse=True)
def is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at partitions and tries again at once."""
    monkeypatch.setattr(kafka, "_BLOCK", 0.02)
    monkeypatch.setattr(queued_reader, "_FIRST_PAUSE", 0.05)


@pytest.fixture
def opened() -> Iterator[Any]:
    """Opens readers, and closes them at the end."""
    readers: list[KafkaReader] = []

    def make(servers: str, topic: str, position: Any = None) -> KafkaReader:
        readers.append(KafkaReader(servers=servers, topic=topic))
        readers[-1].open(position)
        return readers[-1]

    yield make
    for each in readers:
        each.close()


def read(place: Any, reader: KafkaReader, number: int) -> list[dict[str, Any]]:
    """As many events."""
    found: list[dict[str, Any]] = []
    place.wait(lambda: found.extend(reader.read(2)) or len(found) >= number, what=f"{number} events")
    return found


def test_all_partitions_are_read_once_over_a_restart(place: Any, broker: Broker, opened: Any) -> None:
    """What was received and not read is part of the position."""
    for number in range(6):
        broker.send("flows", json.dumps({"n": number}).encode(), partition=number % 2)
    first = opened(broker.address, "flows")
    seen = read(place, first, 2)
    place.wait(lambda: len(first.position()["waiting"]) == 4)
    first.close()
    broker.send("flows", b'{"n": 6}', partition=0)
    broker.send("flows", b'{"n": 7}', partition=3)
    second = opened(broker.address, "flows", json.loads(json.dumps(first.position())))
    seen += read(place, second, 6)
    of = {number: [each["n"] for each in seen if each["partition"] == number] for number in range(4)}
    assert of == {0: [0, 2, 4, 6], 1: [1, 3, 5], 2: [], 3: [7]}
    assert second.trouble is None


def test_messages_become_events(place: Any, broker: Broker, opened: Any) -> None:
    """JSON objects by field, anything else as text; a field of a message wins."""
    broker.send("forms", b'{"a": 1, "key": 2}', b"\xff\x00", None, key="k")
    about = {"partition": 0, "time": 1_000_000_000.5, "key": "k"}
    assert read(place, opened(broker.address, "forms"), 3) == [
        {**about, "offset": 0, "a": 1, "key": 2},
        {**about, "offset": 1, "data": "\\xff\x00"},
        {**about, "offset": 2},
    ]


def test_a_topic_that_was_made_anew_is_read_from_its_beginning_and_told(
    place: Any, broker: Broker, opened: Any
) -> None:
    """It is shorter than what was read."""
    broker.send("anew", b"1")
    reader = opened(broker.address, "anew", {"mark": {"0": 5}, "waiting": []})
    told: list[str] = []
    reader.tell = told.append
    assert [each["data"] for each in read(place, reader, 1)] == ["1"]
    assert told == ["partition 0 of topic 'anew' ends at offset 1, but was read up to 5: reads it from its beginning"]


def test_what_was_removed_before_it_was_read_is_told(
    place: Any, broker: Broker, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so are brokers that are away."""
    monkeypatch.setattr(kafka, "_TIMEOUT", 0.5)
    away = opened(f"127.0.0.1:{free_port()}", "flows")
    assert "tries again" in place.wait(lambda: away.trouble)
    away.close()

    class Client:
        def get_watermark_offsets(self, _partition: Any, timeout: float) -> tuple[int, int]:
            return (7, 9) if timeout else (0, 0)

    assert away._begin(Client(), 0) == 7
    away._mark = {"0": 3}
    assert away._begin(Client(), 0) == 7
    told: list[str] = []
    away.tell = told.append
    away.read(1)
    assert told == ["partition 0 of topic 'flows': offsets 3 to 6 were removed before they were read"]


def test_mistakes_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is opened; so is the library, if it is not there."""
    for options, told in (({"colour": "red"}, "colour"), ({"group.id": "x"}, "leave it out")):
        with pytest.raises(ValueError, match=told):
            KafkaReader(servers="a:1", topic="t", options=options)
    with pytest.raises(ValueError, match="is empty"):
        KafkaReader(servers="a:1", topic="")
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(ValueError, match=r"pip install 'rave-monitor\[kafka\]'"):
        KafkaReader(servers="a:1", topic="t")
