"""Forked children, for tests of what a fork keeps."""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Callable


def in_child(ask: Callable[[], object]) -> bool:
    """Whether what ``ask`` gives in a forked child is true; the child ends without cleaning up after us."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, from Python 3.12 on
        child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if ask() else 2
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
