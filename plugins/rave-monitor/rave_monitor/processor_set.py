"""The processors that run: each by itself, so that one that fails stops no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final

from rave_core.errors import ConfigurationError, describe_error
from rave_monitor.checkpoint import ProcessorState, Sample
from rave_monitor.configuration import Part
from rave_monitor.processor import Abort, Processor
from rave_monitor.reader import Event
from rave_monitor.sampler import PendingSample, Sampler

GRACE: Final = 0.05
"""Seconds for which events wait for samples."""


class ReloadError(ConfigurationError):
    """New code can't take over; the old goes on."""


class RunningProcessor:
    """A processor at work.

    Attributes:
        part: how it is configured.
        error: why it is disabled; empty while it works.
        notice: what it complained of last.
        aborts: how often it raised `Abort`.
    """

    def __init__(self, part: Part, monotonic: Callable[[], float]) -> None:
        self.part = part
        self.processor: Processor = part.make()
        self.processor.name = part.name
        self.error = self.notice = ""
        self.aborts = 0
        self._saved = b""
        self._sampler = Sampler(self.processor, monotonic)
        self._pending: PendingSample | None = None

    def resume(self, saved: ProcessorState) -> None:
        """Goes on from a state. If it can't be used, the processor is disabled, and the state is kept."""
        self._saved = saved.state
        try:
            self.processor.restore(saved.state)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's code may raise anything
            self.error = f"its state can't be used: {describe_error(error)}"

    def take_over(self, old: RunningProcessor) -> None:
        """Goes on from the instance before a reload; from its last good state, if that was disabled.

        Raises:
            ReloadError: it can't.
        """
        try:
            if not old.error:
                self.processor.load(old.processor)
            elif old._saved:
                self.processor.restore(old._saved)
        except (Exception, SystemExit) as error:
            raise ReloadError(f"processor {self.part.name!r} can't take over: {describe_error(error)}") from error
        self._saved = old._saved

    def see(self, events: Iterable[Event]) -> None:
        """Shows it events, unless it is disabled."""
        if self.error:
            return
        look = self.processor.event
        for event in events:
            try:
                look(event)
            except Abort as error:
                self._abort(error)
            except (Exception, SystemExit) as error:  # noqa: BLE001  # as above
                self.error = f"event() failed: {describe_error(error)}"
                return

    def _abort(self, error: Abort) -> None:
        self.aborts += 1
        self.notice = str(error)

    def begin(self, time: float, elapsed: float) -> PendingSample | None:
        """Begins a sample; ``None`` if it is disabled, or still takes the one before."""
        if self.error or self._pending is not None:
            return None
        self.processor.elapsed = elapsed
        self._pending = self._sampler.begin(time)
        return self._pending

    def collect(self, now: float, limit: float) -> Sample | None:
        """The sample that was begun, once it is over; ``now`` is by the monotonic clock."""
        pending = self._pending
        if pending is None:
            return None
        if not pending.is_over():
            if now - pending.began > limit:
                self.notice = f"sample() has taken longer than {limit:g} s; it is not asked again before that ends"
            return None
        self._pending = None
        if isinstance(pending.error, Abort):
            self._abort(pending.error)
        elif pending.error is not None:
            self.error = f"sample() failed: {describe_error(pending.error)}"
        elif now - pending.began <= limit and pending.values is not None:
            return Sample(self.part.name, pending.time, pending.values)
        return None

    @property
    def pending_since(self) -> float | None:
        """The time of the sample that is being taken; ``None`` if there is none."""
        return None if self._pending is None else self._pending.time

    def state(self) -> ProcessorState:
        """Its state; the last good one if it is disabled."""
        if not self.error:
            try:
                self._saved = bytes(self.processor.state())
            except (Exception, SystemExit) as error:  # noqa: BLE001  # as above
                self.error = f"state() failed: {describe_error(error)}"
        return ProcessorState(self.part.kind, self._saved, self.error)

    def close(self) -> None:
        """Ends its thread."""
        self._sampler.close()


class ProcessorSet:
    """All processors of a monitor, in their order. One thread uses it."""

    def __init__(
        self, parts: Iterable[Part], monotonic: Callable[[], float], report: Callable[[str, str], None]
    ) -> None:
        """Makes them; ``report`` hears the name of a processor that is disabled, and why.

        Raises:
            Exception: what a constructor raises.
        """
        self._monotonic, self._report = monotonic, report
        self.running = [RunningProcessor(part, monotonic) for part in parts]
        self._reported: set[str] = set()
        self._looking: tuple[str, float] | None = None

    def resume(self, states: Mapping[str, ProcessorState]) -> None:
        """Goes on from a checkpoint. A state of another kind is left alone."""
        for each in self.running:
            saved = states.get(each.part.name)
            if saved is not None and saved.kind == each.part.kind:
                each.resume(saved)
        self._tell()

    def take_over(self, old: ProcessorSet) -> None:
        """Goes on from the set before a reload. A processor without a match of its name and kind starts fresh.

        Raises:
            ReloadError: one can't; the old set is as it was.
        """
        before = {each.part.name: each for each in old.running}
        for each in self.running:
            match = before.get(each.part.name)
            if match is not None and match.part.kind == each.part.kind:
                each.take_over(match)

    def see(self, events: list[Event]) -> None:
        """Shows events to all."""
        for each in self.running:
            self._looking = each.part.name, self._monotonic()
            each.see(events)
        self._looking = None
        self._tell()

    def held_up(self, limit: float) -> str | None:
        """Which processor looks at the same events for longer than ``limit`` seconds, in words. Safe for threads."""
        name, began = self._looking or ("", 0.0)
        if not name or self._monotonic() - began <= limit:
            return None
        return (
            f"processor {name!r} has looked at some events for longer than {limit:g} s; nothing goes on before it ends"
        )

    def begin(self, time: float, elapsed: float) -> None:
        """Begins a sample of each, and waits a moment for them."""
        begun = [pending for each in self.running if (pending := each.begin(time, elapsed)) is not None]
        until = self._monotonic() + GRACE
        for pending in begun:
            pending.is_over(max(until - self._monotonic(), 0.0))

    def collect(self, limit: float) -> list[Sample]:
        """The samples that are over by now."""
        now = self._monotonic()
        found = [sample for each in self.running if (sample := each.collect(now, limit)) is not None]
        self._tell()
        return found

    def oldest_pending(self) -> float | None:
        """The time of the oldest sample that is still being taken and may still count; ``None`` if there is none."""
        return min((each.pending_since for each in self.running if each.pending_since is not None), default=None)

    def working(self) -> list[str]:
        """The names of those that are not disabled."""
        return [each.part.name for each in self.running if not each.error]

    def states(self) -> dict[str, ProcessorState]:
        """Their states, by name."""
        return {each.part.name: each.state() for each in self.running}

    def close(self) -> None:
        """Ends their threads."""
        for each in self.running:
            with suppress(Exception, SystemExit):
                each.close()

    def _tell(self) -> None:
        for each in self.running:
            if each.error and each.part.name not in self._reported:
                self._reported.add(each.part.name)
                self._report(each.part.name, each.error)
