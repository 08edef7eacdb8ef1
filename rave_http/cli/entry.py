"""The console scripts. Ctrl-C during their first imports ends them in a line of their own, as it does later."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import NoReturn

_INTERRUPTED = 130


def rave() -> NoReturn:
    """Runs ``rave`` with the arguments of this process, and exits."""
    _run("rave", "rave_core.cli.main")


def raved() -> NoReturn:
    """Runs ``raved`` likewise."""
    _run("raved", "rave_http.cli.raved")


def rave_get() -> NoReturn:
    """Runs ``rave-get`` likewise."""
    _run("rave-get", "rave_http.cli.get")


def _run(command: str, module: str) -> NoReturn:
    """Imports a command, and runs it. Meanwhile Ctrl-C waits: an import that it ends shows a traceback, or goes on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        main = import_module(module).main
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        main()
    except KeyboardInterrupt:
        sys.stderr.write(f"{command}: interrupted\n")
    sys.exit(_INTERRUPTED)
