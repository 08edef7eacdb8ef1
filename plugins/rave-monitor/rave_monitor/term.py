"""A term: the time during which this process leads a monitor, from a checkpoint on."""

from __future__ import annotations

import logging
import math
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from rave_core import Runtime
from rave_core.errors import describe_error
from rave_monitor.alarm_set import AlarmSet
from rave_monitor.checkpoint import Sample
from rave_monitor.committer import Committer
from rave_monitor.configuration import MonitorConfig, MonitorConfigError
from rave_monitor.processor_set import ProcessorSet
from rave_monitor.reader_set import ReaderSet
from rave_monitor.retention import Retention
from rave_monitor.rule_journal import RuleJournal
from rave_monitor.sample_store import SampleStore
from rave_monitor.trusted_clock import TrustedClock
from rave_monitor.webhook import WebhookSender
from rave_monitor.writer_set import WriterSet

_log = logging.getLogger("rave.monitor")
_POLL: Final = 0.1
"""Seconds between looks at readers that had nothing."""
_BATCH: Final = 1000
_LAST_WORDS: Final = 5.0
"""Seconds that the last commit may take, and what a writer is writing."""
_SWAP: Final = 1.0
"""Seconds for which a reload waits for what a writer is writing."""


class Term:
    """Reads events, shows them to processors, and samples these each period. One thread runs it.

    Each sample is written together with the states of the processors and the positions of the readers as they were at
    that moment. So the next term goes on exactly where the last commit was, whatever happened since.

    Attributes:
        events: how many were read so far, in all terms.
    """

    def __init__(self, config: MonitorConfig, store: SampleStore, fence: int, runtime: Runtime) -> None:
        """Claims the checkpoint of the term before.

        Raises:
            FenceError: there is a later leader.
            StoreAwayError: the database can't be reached.
        """
        self._config, self._store, self._fence, self._runtime = config, store, fence, runtime
        self._clock = runtime.clock
        self._checkpoint = store.claim(fence)
        self.events = self._checkpoint.events
        self._began = self._clock.now()
        self._reloads = self._answered = 0
        self._reload_error = ""
        self._notices: list[str] = []
        self._processors = ProcessorSet(config.processors, self._clock.monotonic, self._disabled)
        self._readers = ReaderSet(config.readers, self._told, runtime)
        self._trusted = TrustedClock(
            runtime, self._checkpoint.doubts, self._checkpoint.sampled_at, config.sample_period
        )
        retention = Retention(store, fence, runtime, self._trusted)
        self._committer = Committer(store, fence, lambda: retention.apply(self._config))
        self._latest: dict[str, dict[str, Any]] = {}
        self._alarms = AlarmSet(config.name, runtime.events.publish)
        self._writers = WriterSet(config.writers, store, runtime)
        self._rules = RuleJournal(config.rules, runtime) if config.rules else None
        self._rule_mistakes: tuple[str, ...] = ()
        self._sender = WebhookSender(runtime, self._key())
        self._due = 0.0

    def run(self, goes_on: Callable[[], bool], wake: threading.Event, reload: threading.Event) -> None:
        """Runs for as long as ``goes_on`` says so, and nobody else has taken over.

        Args:
            goes_on: asked again and again.
            wake: lets it look at once.
            reload: set to have the configuration and its code loaded again.
        """
        self._processors.resume(self._checkpoint.states)
        self._readers.open(self._checkpoint.positions)
        self._alarms.resume(self._checkpoint.alarms, self._checkpoint.outbox)
        self._alarms.use(self._config.alarms, are_all=self._rules is None)
        self._sender.use(self._key(), self._writers.tellers())
        self._writers.start(self._checkpoint.writers, self._checkpoint.settled)
        # Where the readers begin is known from now on, whatever happens to the files before the first sample.
        self._save([])
        self._set_due()
        try:
            while goes_on() and not self._committer.is_fenced:
                if reload.is_set() or self._is_asked():
                    reload.clear()
                    self._reload()
                if not self._read():
                    wake.clear()
                    self._clock.wait(wake, max(min(_POLL, self._due - self._clock.monotonic()), 0.0))
                if self._clock.monotonic() >= self._due:
                    self._sample()
                self._notify()
        finally:
            self._end()

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written at present, or does not go on; ``None`` while all is well. Safe for threads."""
        return self._committer.trouble or self._processors.held_up(self._config.sample_limit)

    def _is_asked(self) -> bool:
        """Whether somebody asks for a reload through the database."""
        asked = self._committer.reload
        return asked.wanted > max(asked.done, self._answered)

    def _read(self) -> bool:
        """Shows the next events to the processors; returns whether there were any."""
        found = False
        for reader in self._readers.running:
            events = reader.read(_BATCH)
            if events:
                found = True
                self.events += len(events)
                self._processors.see(events)
        return found

    def _sample(self) -> None:
        """Samples all processors, and hands that over to be written."""
        period, now, before = self._config.sample_period, self._clock.now(), self._checkpoint
        time = round(math.floor(now / period) * period, 6)
        if time < before.time:
            back = f"the clock went back by {before.sampled_at - now:.1f} s"
            self._told("", f"{back}; samples at times that have one already are dropped")
        if ahead := self._trusted.look():
            self._told("", f"the clock went ahead by {ahead:.1f} s; samples grow old by it once that lasts for a day")
        samples = self._processors.collect(self._config.sample_limit)
        self._processors.begin(time, max(now - before.sampled_at, 0.0) if before.sampled_at else 0.0)
        samples += self._processors.collect(self._config.sample_limit)
        self._latest |= {each.processor: each.values for each in samples}
        self._latest = {name: self._latest[name] for name in self._processors.working() if name in self._latest}
        self._follow_rules()
        self._alarms.look(self._latest, time, now)
        settled = min(time, self._processors.oldest_pending() or time)
        self._checkpoint = replace(self._checkpoint, time=time, sampled_at=now, settled=settled)
        self._save(samples)
        self._publish(samples)
        self._set_due()

    def _follow_rules(self) -> None:
        """Takes over the rules of the journal, if they have changed."""
        found = None if self._rules is None else self._rules.news(self._config)
        if found is None:
            return
        for mistake in found.mistakes:
            _log.warning("monitor %s: %s", self._config.name, mistake)
        self._rule_mistakes = found.mistakes
        self._alarms.use((*self._config.alarms, *found.alarms))

    def _notify(self) -> None:
        """Hands on what was committed. What was taken is forgotten at once, so a kill repeats as little as it can."""
        self._writers.advance(self._committer.written.settled, [each.name for each in self._config.processors])
        if not self._alarms.outbox:
            return
        done = self._sender.send(self._committer.written.outbox)
        if self._alarms.forget(done):
            self._save([])

    def _key(self) -> bytes | None:
        """What webhooks are signed with."""
        path = self._runtime.settings.signing_key_file
        if self._config.webhook_key is not None or path is None:
            return self._config.webhook_key
        return Path(path).read_bytes().strip()

    def _set_due(self) -> None:
        period = self._config.sample_period
        self._due = self._clock.monotonic() + period - self._clock.now() % period

    def _save(self, samples: list[Sample]) -> None:
        """Hands over all that has to be written together."""
        self._checkpoint = replace(
            self._checkpoint,
            events=self.events,
            positions=self._readers.positions(),
            states=self._processors.states(),
            alarms=dict(self._alarms.states),
            outbox=list(self._alarms.outbox),
            writers=self._writers.positions(),
            doubts=self._trusted.doubts,
        )
        self._committer.submit(self._checkpoint, samples, self.status())

    def _end(self) -> None:
        """Saves how far it came, so that nothing has to be read again."""
        self._writers.close(_LAST_WORDS)
        self._alarms.forget(self._sender.close())
        if not self._committer.is_fenced:
            self._save([])
        if not self._committer.close(_LAST_WORDS):
            _log.warning("monitor %s: the next leader goes on from an earlier checkpoint", self._config.name)
        if self._rules is not None:
            self._rules.close()
        self._readers.close()
        self._processors.close()

    def _reload(self) -> None:
        """Loads configuration and code again beside what runs, and swaps if all of it works."""
        number = self._committer.reload.wanted
        try:
            self._swap(MonitorConfig.load(self._config.path))
        except (Exception, SystemExit) as error:  # noqa: BLE001  # new code may raise anything, and the old goes on
            self._reload_error = str(error) if isinstance(error, MonitorConfigError) else describe_error(error)
            _log.error("monitor %s: not reloaded: %s", self._config.name, self._reload_error)
        else:
            self._reloads, self._reload_error = self._reloads + 1, ""
            _log.info("monitor %s: reloaded", self._config.name)
        self._answered = number
        self._committer.answer(number, self._reload_error)

    def _swap(self, config: MonitorConfig) -> None:
        """Goes on with another configuration.

        Raises:
            MonitorConfigError: it is one of another monitor.
            ReloadError: a processor can't take over.
        """
        if (config.name, config.documents) != (self._config.name, self._config.documents):
            raise MonitorConfigError([f"{config.path}: name and documents can't change while it runs; restart it"])
        processors = ProcessorSet(config.processors, self._clock.monotonic, self._disabled)
        readers = ReaderSet(config.readers, self._told, self._runtime)
        writers = WriterSet(config.writers, self._store, self._runtime)
        processors.take_over(self._processors)
        readers.take_over(self._readers)
        self._processors.close()
        self._writers.close(_SWAP)
        writers.start(self._writers.positions(), self._checkpoint.settled)
        self._writers = writers
        self._config, self._processors, self._readers = config, processors, readers
        self._use_rules(config)
        self._sender.use(self._key(), writers.tellers())
        self._set_due()

    def _use_rules(self, config: MonitorConfig) -> None:
        """Goes on with the alarms of another configuration; those of its journal come with the next sample."""
        if self._rules is not None:
            self._rules.close()
        self._rules, self._rule_mistakes = RuleJournal(config.rules, self._runtime) if config.rules else None, ()
        self._alarms.use(config.alarms, are_all=self._rules is None)

    def _disabled(self, name: str, error: str) -> None:
        _log.error("monitor %s: processor %s is disabled: %s", self._config.name, name, error)
        data = {"namespace": "monitor", "monitor": self._config.name, "processor": name, "error": error}
        self._runtime.events.publish("monitor.disabled", data)

    def _told(self, reader: str, message: str) -> None:
        """Notes what a reader has to say; the monitor itself without the name of one."""
        notice = f"{reader}: {message}" if reader else message
        _log.warning("monitor %s: %s", self._config.name, f"reader {notice}" if reader else notice)
        self._notices = [*self._notices, notice][-20:]
        data = {"namespace": "monitor", "monitor": self._config.name, "reader": reader, "message": message}
        self._runtime.events.publish("monitor.told", data)

    def _publish(self, samples: list[Sample]) -> None:
        events = self._runtime.events
        if not events.is_heard("sample.taken"):
            return
        for each in samples:
            about = {"namespace": "monitor", "monitor": self._config.name, "processor": each.processor}
            events.publish("sample.taken", {**about, "time": each.time, "sample": each.values})

    def status(self) -> dict[str, Any]:
        """How it is, for people elsewhere."""
        return {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "fence": int(self._fence),
            "began": self._began,
            "written": self._clock.now(),
            "period": self._config.sample_period,
            "events": self.events,
            **self._parts_status(),
            "writers": self._writers.status(),
            "alarms": self._alarms.status(self._clock.now()),
            "rules": [*self._rule_mistakes, *filter(None, [self._rules.trouble if self._rules else None])],
            "notify_trouble": self._sender.trouble or "",
            "notices": self._notices,
            "reloads": self._reloads,
            "reload_error": self._reload_error,
            "dropped": self._committer.dropped,
        }

    def _parts_status(self) -> dict[str, Any]:
        readers = [
            {"name": each.part.name, "events": each.events, "trouble": each.trouble or ""}
            for each in self._readers.running
        ]
        processors = [
            {"name": each.part.name, "kind": each.part.kind, "error": each.error, "notice": each.notice}
            for each in self._processors.running
        ]
        return {"readers": readers, "processors": processors}
