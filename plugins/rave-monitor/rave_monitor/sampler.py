"""Takes samples in threads of their own, so that a slow one holds nothing up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import msgspec

from rave_core.errors import ConfigurationError
from rave_monitor.processor import Processor


class SampleError(ConfigurationError):
    """A sample is no table of values that JSON has."""


class PendingSample:
    """One sample that is being taken.

    Attributes:
        time: of the sample, in Unix seconds.
        began: by the monotonic clock.
        values: what the processor said; ``None`` until then.
        error: what it raised.
    """

    def __init__(self, time: float, began: float) -> None:
        self.time, self.began = time, began
        self.values: dict[str, Any] | None = None
        self.error: BaseException | None = None
        self._over = threading.Event()

    def is_over(self, seconds: float = 0.0) -> bool:
        """Whether it ended, after ``seconds`` at most."""
        return self._over.wait(seconds)

    def take(self, processor: Processor) -> None:
        """Asks the processor."""
        try:
            self.values = _plain(processor.sample())
        except BaseException as error:  # noqa: BLE001  # a stranger's code may raise anything, and the thread goes on
            self.error = error
        finally:
            self._over.set()


class Sampler:
    """The thread that samples one processor. A sample that never ends leaves the thread behind."""

    def __init__(self, processor: Processor, monotonic: Callable[[], float]) -> None:
        """Starts with the first sample; ``monotonic`` gives seconds that only grow."""
        self._processor, self._monotonic = processor, monotonic
        self._asked = SimpleQueue[PendingSample | None]()
        self._thread: threading.Thread | None = None

    def begin(self, time: float) -> PendingSample:
        """Begins a sample."""
        pending = PendingSample(time, self._monotonic())
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="rave-monitor-sampler", daemon=True)
            self._thread.start()
        self._asked.put(pending)
        return pending

    def close(self) -> None:
        """Ends the thread, once its present sample ends."""
        self._asked.put(None)

    def _run(self) -> None:
        while (pending := self._asked.get()) is not None:
            pending.take(self._processor)


def _plain(values: object) -> dict[str, Any]:
    """A copy of a sample in values that JSON has; NaN and infinite numbers become ``None``.

    Raises:
        SampleError: it is no such thing.
    """
    try:
        return msgspec.json.decode(msgspec.json.encode(values), type=dict[str, Any])
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
        raise SampleError(
            f"sample() gave {str(values)[:80]!r}: expected a dict of values that JSON has: {error}"
        ) from error
