"""Plugins that keep a program waiting while it starts: they are named, since nothing else would tell who it is."""

from __future__ import annotations

import logging
import threading
from typing import Final, Self

_log = logging.getLogger("rave")
TELL_AFTER: Final = 10.0
"""Seconds that a program waits for plugins before it says so."""


class Waiting:
    """While it is entered, the program waits for plugins; after ``TELL_AFTER`` seconds, a warning names the plugin.

    What a plugin does at its import and in hooks that come before the start can't be ended from outside.
    """

    def __init__(self) -> None:
        """Waits for nobody yet."""
        self._step = "plugins"

    def on(self, plugin: str, step: str) -> None:
        """From now on, it waits for this plugin to do this."""
        self._step = f"plugin {plugin}: {step}"

    def __enter__(self) -> Self:
        self._timer = threading.Timer(TELL_AFTER, self._tell)
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()

    def _tell(self) -> None:
        _log.warning(
            "%s does not end: the program has waited for plugins for %g s; to start without this one, add it to the "
            "setting 'disabled_plugins'",
            self._step,
            TELL_AFTER,
        )
