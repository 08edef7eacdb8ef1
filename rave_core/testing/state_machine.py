"""A hypothesis state machine that compares a backend with a dict."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from rave_core.backend import Backend
from rave_core.model import Key

_KEYS = [
    Key(name, version, arguments).text
    for name in ("m:f", "m:fg", "m/f", "m/f/g", "ü %:@")
    for version in ("0" * 16, "0" * 15 + "1")
    for arguments in ("0" * 32, "0" * 31 + "1", "1" * 32)
]
_PREFIXES = sorted({key[:end] for key in _KEYS for end in range(0, len(key), 3)} | {key + "x" for key in _KEYS})
_keys = st.sampled_from(_KEYS)
_pieces = st.lists(st.binary(max_size=60), max_size=4)


def _is_persistent(machine: _Machine) -> bool:
    return machine.persistent


class _Machine(RuleBasedStateMachine):
    opening: ClassVar[Any]
    persistent: ClassVar[bool]

    @initialize()
    def open(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="rave-machine-"))
        self.backend: Backend = self.opening(self.directory / "store")
        self.model: dict[str, bytes] = {}

    @rule(key=_keys, pieces=_pieces)
    def put(self, key: str, pieces: list[bytes]) -> None:
        self.backend.put(key, pieces)
        self.model[key] = b"".join(pieces)

    @rule(key=_keys)
    def get(self, key: str) -> None:
        frame = self.backend.get(key)
        assert (None if frame is None else bytes(frame)) == self.model.get(key)

    @rule(key=_keys, size=st.integers(0, 80))
    def head(self, key: str, size: int) -> None:
        head, frame = self.backend.head(key, size), self.model.get(key)
        assert (None if head is None else bytes(head)) == (None if frame is None else frame[:size])

    @rule(key=_keys)
    def delete(self, key: str) -> None:
        assert self.backend.delete(key) is (self.model.pop(key, None) is not None)

    @rule(key=_keys)
    def set_aside(self, key: str) -> None:
        self.backend.set_aside(key)
        self.model.pop(key, None)

    @rule(prefix=st.sampled_from(_PREFIXES))
    def keys(self, prefix: str) -> None:
        assert sorted(self.backend.keys(prefix)) == sorted(key for key in self.model if key.startswith(prefix))

    @precondition(_is_persistent)
    @rule()
    def reopen(self) -> None:
        self.backend.close()
        self.backend = self.opening(self.directory / "store")

    def teardown(self) -> None:
        if hasattr(self, "backend"):
            self.backend.close()
            shutil.rmtree(self.directory)


def backend_machine(
    open_backend: Callable[[Path], Backend], *, persistent: bool = False
) -> type[RuleBasedStateMachine]:
    """A machine whose ``TestCase`` is the test: any order of calls does what it would do to a dict.

    Args:
        open_backend: opens the store at a path of its own; opened again at the same path it is the same store.
        persistent: whether it then still holds what was put.
    """
    return type("BackendMachine", (_Machine,), {"opening": staticmethod(open_backend), "persistent": persistent})
