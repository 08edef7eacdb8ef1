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


class Checkpoint(msgspec.Struct, frozen=True):
    """How far a monitor has come, as of one moment.

    Attributes:
        time: of the latest sample, in Unix seconds, a multiple of the sample period; 0 before the first.
        sampled_at: when that was taken.
        settled: the time before which no sample is added any more.
        events: how many were read so far.
        positions: of the readers, by name.
        states: of the processors, by name.
    """

    time: float = 0.0
    sampled_at: float = 0.0
    settled: float = 0.0
    events: int = 0
    positions: dict[str, dict[str, Any]] = {}
    states: dict[str, ProcessorState] = {}


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
