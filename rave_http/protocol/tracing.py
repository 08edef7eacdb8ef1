"""Traces across services (W3C Trace Context): the ``traceparent`` that comes in, and the one that is passed on."""

from __future__ import annotations

import os
import random
import re
from contextvars import ContextVar
from typing import Final

current_trace: ContextVar[str] = ContextVar("current_trace", default="")
"""The ``traceparent`` of the current request; empty outside of any. Bodies of operations see it too."""

HEADER: Final = b"traceparent"
_PARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_NO_TRACE: Final = b"0" * 32
_NO_SPAN: Final = b"0" * 16
_SAMPLED: Final = 1

# Asking the system for each ID would take a large part of the time of an answer from memory.
_chance = random.Random()  # noqa: S311  # names, not secrets
os.register_at_fork(after_in_child=_chance.seed)  # or workers would create the same IDs


def traceparent() -> str:
    """The header ``traceparent`` to send to services that an operation calls; empty outside of a request."""
    return current_trace.get()


def trace_id(parent: str) -> str:
    """The trace that ``parent``, a well-formed ``traceparent``, is part of."""
    return parent[3:35]


def child_of(parent: bytes | None) -> str:
    """A ``traceparent`` of our own: in the caller's trace, or in a new one where ``parent`` is absent or malformed."""
    span = f"{_chance.getrandbits(64):016x}"
    if parent is not None:
        match = _PARENT.fullmatch(parent)
        if match is not None and _is_valid(match[1], match[2], match[3], match[5]):
            # Only this flag has a defined meaning; the others have to be zero.
            sampled = int(match[4], 16) & _SAMPLED
            return f"00-{match[2].decode()}-{span}-{sampled:02x}"
    return f"00-{_chance.getrandbits(128):032x}-{span}-00"


def _is_valid(version: bytes, trace: bytes, span: bytes, rest: bytes | None) -> bool:
    """Whether well-formed fields are valid. A later version may have more fields; it is read as ours."""
    return version != b"ff" and trace != _NO_TRACE and span != _NO_SPAN and (rest is None or version != b"00")
