"""The stack of a thread: Python counts calls by thread, so a deep recursion can go on in a fresh one."""

from __future__ import annotations

import contextvars
import ctypes
import sys
import threading
from collections.abc import Callable
from typing import Any

RESERVE = 300
"""The number of frames that must be free for a body and the path to the next one."""


def is_nearly_full() -> bool:
    """Whether fewer than `RESERVE` frames are free in this thread."""
    try:
        sys._getframe(max(sys.getrecursionlimit() - RESERVE, RESERVE))
    except ValueError:
        return False
    return True


def in_fresh_thread(run: Callable[[], Any]) -> Any:
    """Calls ``run`` in a thread of its own, with this thread's context variables; ``run`` itself raises nothing.

    If no thread can be started, it runs here. An exception that a signal raises in this thread, as Ctrl-C does, is
    raised in the other one too, which is waited for.
    """
    results: list[Any] = []
    errors: list[BaseException] = []
    context = contextvars.copy_context()

    def body() -> None:
        try:
            results.append(context.run(run))
        except BaseException as error:  # noqa: BLE001  # it is raised in the thread that waits
            errors.append(error)

    thread = threading.Thread(target=body, name="rave-deep", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # no more threads
        return run()
    try:
        thread.join()
    except BaseException as error:
        _raise_in(thread, type(error))
        thread.join()
        raise
    if errors:
        raise errors[0]
    return results[0]


def _raise_in(thread: threading.Thread, error: type[BaseException]) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(error))
