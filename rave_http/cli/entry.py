"""The console scripts. Ctrl-C during their first imports ends them in a line of their own, as it does later."""

from __future__ import annotations

import os
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
    if None in (sys.stdin, sys.stdout, sys.stderr):
        _open_closed_streams(command)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        main = import_module(module).main
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        main()
    except KeyboardInterrupt:
        sys.stderr.write(f"{command}: interrupted\n")
    sys.exit(_INTERRUPTED)


def _open_closed_streams(command: str) -> None:
    """Opens the closed standard streams on nothing; else a file opened later gets the number of one, and its text."""
    is_lost = sys.stdout is None
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number: this one
            stream = open(number, "w" if number else "r", encoding="utf-8", closefd=False)  # noqa: SIM115  # it stays open
            setattr(sys, name, stream)
    if is_lost:
        sys.stderr.write(f"{command}: warning: standard output is closed; what belongs there is lost\n")
        sys.stderr.flush()
