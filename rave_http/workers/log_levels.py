"""The levels of loggers, the same in all workers, and changed while they run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from rave_core.settings import LEVELS
from rave_http.workers.run_directory import RunDirectory
from rave_http.workers.workers import Workers

_FACT: Final = "log-levels"
_PATIENCE: Final = 10.0
"""Seconds that a busy worker gets to answer: a change of levels may wait."""
DEFAULT: Final = "DEFAULT"
"""In place of a level: the one that the settings name, or else that of the logger above."""


class LogLevels:
    """The levels of loggers. For the event loop of one worker; a worker that starts later has the same."""

    def __init__(self, workers: Workers, run_directory: RunDirectory, configured: Mapping[str, str]) -> None:
        """Answers the other workers; `open` sets the ``configured`` levels."""
        self._workers = workers
        self._run_directory = run_directory
        self._configured = dict(configured)
        self._before: dict[str, int] = {}
        self._heard: set[str] = set()
        workers.answer(_FACT, self._take)

    async def open(self) -> None:
        """Sets the levels of the settings, and those that were changed before this worker started."""
        changed = await asyncio.to_thread(self._run_directory.read, _FACT)
        for logger, level in {**self._configured, **(changed or {})}.items():
            if logger not in self._heard:  # another worker said so meanwhile, which is newer than what was read
                self._set(logger, level)

    def document(self) -> dict[str, Any]:
        """The levels by logger, of those that have one of their own."""
        manager = logging.getLogger().manager
        loggers = {name: each for name, each in list(manager.loggerDict.items()) if isinstance(each, logging.Logger)}
        own = {name: logging.getLevelName(each.level) for name, each in sorted(loggers.items()) if each.level}
        return {"levels": {"root": logging.getLevelName(logging.getLogger().level), **own}}

    async def change(self, logger: str, level: str) -> list[str]:
        """Sets the level of a logger in every worker; returns the workers that did not answer."""

        def changed(known: Any) -> dict[str, str]:
            return {**(known or {}), logger: level}

        await asyncio.to_thread(self._run_directory.update, _FACT, changed)
        answers = await self._workers.ask(_FACT, timeout=_PATIENCE, logger=logger, level=level)
        return list(answers.silent)

    def _take(self, facts: dict[str, Any]) -> bool:
        self._heard.add(str(facts["logger"]))
        self._set(str(facts["logger"]), str(facts["level"]))
        return True

    def _set(self, name: str, level: str) -> None:
        logger = logging.getLogger(None if name == "root" else name)
        before = self._before.setdefault(name, logger.level)
        level = self._configured.get(name, DEFAULT) if level == DEFAULT else level
        logger.setLevel(level if level in LEVELS else before)
