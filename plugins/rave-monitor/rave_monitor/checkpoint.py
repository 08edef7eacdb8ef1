"""A checkpoint: all that a monitor needs to go on as if nothing had happened."""

from __future__ import annotations

from typing import Any

import msgspec


class ProcessorState(msgspec.Struct, frozen=True):
    """The state of a processor.

    Attributes:
        kind: of the processor; a state is of no use to another kind.
        state: what `Processor.state` gave.
        error: why the processor is disabled; empty if it is not.
    """

    kind: str
    state: bytes
    error: str = ""


class AlarmState(msgspec.Struct, frozen=True):
    """The state of an alarm.

    Attributes:
        state: ``ok``, ``pending`` or ``firing``.
        since: the time of the sample with which that began, in Unix seconds.
        told: whether people were told that it fires, and not yet that it cleared.
    """

    state: str = "ok"
    since: float = 0.0
    told: bool = False


class Notice(msgspec.Struct, frozen=True):
    """Something to be told.

    Attributes:
        id: the same however often it is told.
        url: where to post it, or the name of the writer that tells it.
        time: of what it tells, in Unix seconds.
        body: what it tells.
    """

    id: str
    url: str
    time: float
    body: dict[str, Any]


class ClockDoubt(msgspec.Struct, frozen=True):
    """A jump ahead of the clock that is not believed yet.

    Attributes:
        seconds: by how much.
        left: seconds for which a monitor has still to run until it is believed.
    """

    seconds: float
    left: float


class Checkpoint(msgspec.Struct, frozen=True):
    """How far a monitor has come, as of one moment.

    Attributes:
        time: of the latest sample, in Unix seconds, a multiple of the sample period; 0 before the first.
        sampled_at: when that was taken.
        settled: the time before which no sample is added any more.
        events: how many were read so far.
        positions: of the readers, by name.
        states: of the processors, by name.
        alarms: the states of the alarms, by name.
        outbox: what has still to be posted.
        writers: the times before which writers have handed on all samples, by name.
        doubts: jumps of the clock that are not believed yet, the earliest first.
    """

    time: float = 0.0
    sampled_at: float = 0.0
    settled: float = 0.0
    events: int = 0
    positions: dict[str, dict[str, Any]] = {}
    states: dict[str, ProcessorState] = {}
    alarms: dict[str, AlarmState] = {}
    outbox: list[Notice] = []
    writers: dict[str, float] = {}
    doubts: list[ClockDoubt] = []


class Sample(msgspec.Struct, frozen=True):
    """What a processor said at one moment.

    Attributes:
        processor: its name.
        time: in Unix seconds: a multiple of the sample period.
        values: by name.
    """

    processor: str
    time: float
    values: dict[str, Any]
