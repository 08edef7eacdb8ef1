"""What a child process is asked to do, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rave_core.model import Key
from rave_core.settings import Settings
from rave_http.executors.pickled_result import PickledResult
from rave_http.executors.stats_delta import StatsGrowth


@dataclass(frozen=True, slots=True)
class Place:
    """The location of a function, by which another process finds its operation."""

    module: str
    qualname: str


@dataclass(frozen=True, slots=True)
class BodyCall:
    """A body to be run.

    Attributes:
        number: of the job, among all of the executor.
        operation: its full name.
        key: what is computed; ``None`` if it has no key.
        within: texts of the keys whose runs enclose it, the outermost first.
        arguments: pickled: what the body is called with (positional, by keyword), then the call's own arguments
            (positional, by parameter).
        done: the keys that a deep refresh has computed so far; ``None`` outside of one.
        trace: the ``traceparent`` of the request.
        is_heard: whether anybody may hear of events.
    """

    number: int
    place: Place
    operation: str
    key: Key | None
    within: tuple[str, ...]
    arguments: bytes
    done: frozenset[str] | None
    trace: str
    is_heard: bool


@dataclass(frozen=True, slots=True)
class CallBatch:
    """Calls of one operation, to be answered one after another.

    Attributes:
        number: of the job, among all of the executor.
        operation: its full name.
        version: of its code.
        arguments: pickled: for each call its key, and its arguments (positional, by keyword, by parameter).
        trace: the ``traceparent`` of the request.
    """

    number: int
    place: Place
    operation: str
    version: str | None
    arguments: bytes
    trace: str


@dataclass(frozen=True, slots=True)
class Probe:
    """An entry by which a process on another machine shows that it sees the same cache.

    Attributes:
        key: where it is.
        value: what is there.
    """

    key: Key
    value: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a job.

    Attributes:
        pickled: its result; ``None`` if the body did not start.
        misfit: why it did not start.
        children: texts of the keys that it requested, in the order of the first request.
        done: the keys that its deep refresh computed.
        progress: its latest report.
        growth: the statistics of its run.
        is_surprising: whether it loaded other code than its version tells, so that its result must not be kept.
    """

    pickled: PickledResult | None
    misfit: str = ""
    children: tuple[str, ...] = ()
    done: frozenset[str] = frozenset()
    progress: bytes | None = None
    growth: StatsGrowth = field(default_factory=StatsGrowth)
    is_surprising: bool = False


@dataclass(frozen=True, slots=True)
class ChildConfig:
    """The configuration of a child.

    Attributes:
        settings: those of the worker's runtime.
        directories: the namespaces that are plain directories, by name.
        log_levels: those of the worker; see `rave_http.executors.child_channel.log_levels`.
    """

    settings: Settings
    directories: Mapping[str, str]
    log_levels: Mapping[str, int]
