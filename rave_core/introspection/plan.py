"""Plan: what a call would have to run, and how long that took before. It runs and changes nothing.

The tree is the one recorded when the call was last computed: entries hold the keys of the entries that they were
computed from. A call that was never computed has no tree; its time is estimated from other calls of its operation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from statistics import median

from rave_core.engine.execution import ResolvedOperation
from rave_core.expiry import nocache
from rave_core.functions.argument_reprs import summarize
from rave_core.model import Call, Entry, Key
from rave_core.storage.cache import Cache
from rave_core.storage.listing import entries_of, find_head, keys_of
from rave_core.text.displays import bundle
from rave_core.text.humanize import span

SAMPLE = 200
"""The maximum number of an operation's entries used to estimate how long it takes."""


class Need(StrEnum):
    """What a step of a plan needs."""

    CACHED = "cached"
    RUN = "run"
    SHARED = "shared"


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a plan.

    Attributes:
        depth: 0 for the call itself, one more for each call below.
        operation: its full name.
        arguments: parameter to a short readable form; empty if nothing is recorded.
        key: its text, empty if there is none.
        need: ``cached``: a result is kept, and nothing below is asked; ``run``: it must be computed; ``shared``: it
            occurs earlier in the plan.
        seconds: how long its own part of computing is expected to take, without the steps below it; 0 unless it
            must run, ``None`` if nothing is known.
        basis: where ``seconds`` comes from, in words; empty unless it must run.
    """

    depth: int
    operation: str
    arguments: Mapping[str, str]
    key: str
    need: Need
    seconds: float | None = 0.0
    basis: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a call, each followed by those below it."""

    steps: tuple[Step, ...]

    @property
    def seconds(self) -> float | None:
        """How long the call is expected to take, one step after the other; ``None`` if a step has no estimate."""
        known = [step.seconds for step in self.steps if step.seconds is not None]
        return sum(known) if len(known) == len(self.steps) else None

    @property
    def to_run(self) -> int:
        """How many steps must run."""
        return sum(step.need is Need.RUN for step in self.steps)

    @property
    def summary(self) -> str:
        """How much must run, and how long that takes, in one sentence."""
        if not self.to_run:
            return "Nothing has to run: the result is stored."
        distinct = sum(step.need is not Need.SHARED for step in self.steps)
        steps = f"{self.to_run} of {distinct} steps" if distinct > 1 else "It"
        verb = "have" if self.to_run > 1 and distinct > 1 else "has"
        seconds = "how long is not known" if self.seconds is None else f"about {span(self.seconds)}"
        return f"{steps} {verb} to run; {seconds}."

    def __str__(self) -> str:
        return "\n".join(f"{'  ' * step.depth}{step.operation}: {step.need}" for step in self.steps)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook shows: how much must run, and the steps as a table."""
        return bundle(self.summary, [_row(step) for step in self.steps], text=str(self))


def _row(step: Step) -> dict[str, str]:
    arguments = ", ".join(f"{name}={value}" for name, value in step.arguments.items())
    must_run = step.need is Need.RUN
    time = ("?" if step.seconds is None else span(step.seconds)) if must_run else ""
    return {"step": f"{'· ' * step.depth}{step.operation}({arguments})", "needs": step.need, "time": time}


def plan(resolved: ResolvedOperation, call: Call, caches: Sequence[Cache] = (), *, now: float) -> Plan:
    """What ``call`` would have to run at Unix time ``now``, as far as that is recorded.

    Args:
        resolved: the resolved operation.
        call: the call to plan.
        caches: other caches in which to look for the entries of the steps, in addition to the operation's own.
        now: Unix time.

    Raises:
        OSError: a store is in trouble.
    """
    return _Planner(resolved, [resolved.cache, *caches], now).plan(call)


class _Planner:
    """Walks the recorded tree of one call, with a stack of its own since trees may be deeper than Python's."""

    def __init__(self, resolved: ResolvedOperation, caches: Sequence[Cache], now: float) -> None:
        self._desk = resolved
        self._caches = list({id(cache): cache for cache in caches}.values())
        self._now = now
        self._versions: dict[str, str] = {}
        self._usual: dict[str, float | None] = {}
        self._listed: dict[str, dict[str, list[str]]] = {}

    def plan(self, call: Call) -> Plan:
        name, arguments = self._desk.name, summarize(call.named)
        if call.key is None or self._desk.strategy is nocache:
            seconds = self._usual_seconds(name)
            return Plan((Step(0, name, arguments, "", Need.RUN, seconds, "other calls" if seconds else ""),))
        steps: list[Step] = []
        seen: set[str] = set()
        waiting = [(0, call.key)]
        while waiting:
            depth, key = waiting.pop()
            step, children = self._step(depth, key, arguments if depth == 0 else {}, key.text in seen)
            steps.append(step)
            seen.add(key.text)
            waiting += [(depth + 1, child) for child in reversed(children)]
        return Plan(tuple(steps))

    def _step(self, depth: int, key: Key, arguments: Mapping[str, str], seen: bool) -> tuple[Step, list[Key]]:
        entry = find_head(self._caches, key.text)
        fresh = entry is not None and entry.is_fresh(self._now)
        recorded = entry or self._other_version(key)
        arguments = arguments or (recorded.arguments if recorded is not None else {})
        if fresh or seen:
            return Step(depth, key.operation, arguments, key.text, Need.CACHED if fresh else Need.SHARED), []
        if recorded is None:
            seconds = self._usual_seconds(key.operation)
            basis = "other calls of the operation" if seconds is not None else "never computed"
            return Step(depth, key.operation, arguments, key.text, Need.RUN, seconds, basis), []
        basis = "the last time" if entry is not None else "an earlier version"
        step = Step(depth, key.operation, arguments, key.text, Need.RUN, self._own_seconds(recorded), basis)
        return step, self._children(key, recorded)

    def _children(self, key: Key, recorded: Entry) -> list[Key]:
        """The keys below, in present versions: a key that had its parent's version then is assumed to have it now."""
        was = Key.parse(recorded.key).version
        if was != key.version:
            self._versions[was] = key.version
        children = [Key.parse(child) for child in recorded.children]
        return [Key(c.operation, self._versions.get(c.version, c.version), c.arguments) for c in children]

    def _own_seconds(self, recorded: Entry) -> float:
        """The recorded time, without the time of the children computed within it."""
        started = recorded.created_at - recorded.seconds
        children = [find_head(self._caches, child) for child in recorded.children]
        inside = sum(c.seconds for c in children if c and started <= c.created_at <= recorded.created_at)
        return max(0.0, recorded.seconds - inside)

    def _other_version(self, key: Key) -> Entry | None:
        """The newest entry of the same operation and arguments in another version."""
        texts = self._texts(key.operation).get(key.arguments, ())
        heads = (find_head(self._caches, text) for text in texts)
        found = [entry for entry in heads if entry is not None]
        return max(found, key=lambda entry: entry.created_at, default=None)

    def _texts(self, operation: str) -> dict[str, list[str]]:
        """The keys of an operation in all its versions, by the digest of their arguments."""
        if operation not in self._listed:
            listed = self._listed[operation] = {}
            for cache in self._caches:
                for text in keys_of(cache, operation):
                    listed.setdefault(text.rpartition("/")[2], []).append(text)
        return self._listed[operation]

    def _usual_seconds(self, operation: str) -> float | None:
        """The median of what was recorded for other calls of an operation, children included."""
        if operation not in self._usual:
            found = [entries_of(cache, operation, most=SAMPLE) for cache in self._caches]
            seconds = [entry.seconds for entry in chain.from_iterable(found)]
            self._usual[operation] = median(seconds) if seconds else None
        return self._usual[operation]
