"""A circuit breaker: it gives a layer in trouble a pause, so that callers don't wait for it again and again.

After Nygard, "Release It!" (2007). We have our own because the maintained packages hold a lock during the guarded call,
so all threads would take turns at a store.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from rave_core.clock import Clock
from rave_core.errors import BackendError

T = TypeVar("T")

_log = logging.getLogger("rave")

FAILURES = 3
"""This many failures in a row open the breaker."""

SLOW = 5.0
"""Seconds; a call that fails after this long opens the breaker at once."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds of the pause: the first one and the longest one. Each failed trial doubles it."""


class Breaker:
    """Lets calls to one layer through, or refuses them at once. Safe for threads.

    While it is closed, all calls pass. `FAILURES` failures in a row open it, or one that took `SLOW` seconds to fail.
    While it is open, it refuses all calls until the pause is over. Then one call passes, the trial: if it succeeds, the
    breaker closes; if it fails, a longer pause follows. Opening and closing are logged, once each.
    """

    def __init__(self, layer: object, clock: Clock) -> None:
        """Guards ``layer``, whose ``repr`` names it in messages."""
        self._layer = layer
        self._clock = clock
        self._lock = threading.RLock()
        self._failures = 0
        self._pause = 0.0
        self._until = 0.0
        self._is_tried = False
        self._reason = ""

    @property
    def is_open(self) -> bool:
        """Whether the layer is paused, or was and has not answered yet."""
        return self._pause > 0

    def call(self, do: Callable[..., T], *args: Any, **named: Any) -> T:
        """Calls ``do`` with these arguments and returns its result.

        Raises:
            BackendError: the layer is paused.
            OSError: the layer's own trouble.
        """
        is_trial = self._enter()
        started = self._clock.monotonic()
        try:
            result = do(*args, **named)
        except FileNotFoundError:
            self._succeeded()  # an answer, not trouble
            raise
        except OSError as error:
            self._failed(error, self._clock.monotonic() - started, is_trial=is_trial)
            raise
        except BaseException:
            with self._lock:
                self._is_tried = False
            raise
        if self._failures or self._pause:
            self._succeeded()
        return result

    def _enter(self) -> bool:
        """Whether the call is the trial."""
        if not self._pause:
            return False
        with self._lock:
            if not self._pause:
                return False
            left = self._until - self._clock.monotonic()
            if left > 0 or self._is_tried:
                raise BackendError(
                    f"{self._layer!r} is skipped because it is in trouble, and tried again in {max(left, 0):.0f} s: "
                    f"{self._reason}"
                )
            self._is_tried = True
            return True

    def _failed(self, error: OSError, seconds: float, *, is_trial: bool) -> None:
        with self._lock:
            if self._pause and not is_trial:
                return  # it was under way when the breaker opened
            self._is_tried = False
            self._failures += 1
            if not is_trial and self._failures < FAILURES and seconds < SLOW:
                return
            has_just_opened = not self._pause
            self._pause = min(self._pause * 2, LONGEST_PAUSE) or FIRST_PAUSE
            self._until = self._clock.monotonic() + self._pause
            self._reason = str(error)
        if has_just_opened:
            _log.warning("%r is in trouble, and skipped until it responds: %s", self._layer, error)

    def _succeeded(self) -> None:
        with self._lock:
            was_open = self._pause > 0
            self._failures, self._pause, self._is_tried = 0, 0.0, False
        if was_open:
            _log.warning("%r responds again", self._layer)
