"""What the tests of authorization share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pluggy
import pytest

from rave_http import hookspecs
from rave_http.auth.authorization import Principal
from rave_http.protocol.problems import Problem

ALICE = Principal("alice", "proxy")


USUAL = [(b"host", b"localhost:8888"), (b"accept", b"*/*"), (b"cookie", b"a=b")]


def hooks(*plugins: object) -> Any:
    """The relay of these plugins."""
    manager = pluggy.PluginManager("rave_http")
    manager.add_hookspecs(hookspecs)
    for plugin in plugins:
        manager.register(plugin)
    return manager.hook


def refused(ask: Callable[[], object]) -> Problem:
    """The problem with which credentials are refused."""
    with pytest.raises(Problem) as caught:
        ask()
    assert caught.value.slug == "unauthorized"
    assert caught.value.headers == {"WWW-Authenticate": 'Bearer realm="RAVE"'}
    return caught.value
