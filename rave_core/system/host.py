"""Identifies this process, so that others can check whether it is still alive."""

from __future__ import annotations

import os
import socket
from functools import cache, lru_cache
from pathlib import Path


@cache
def host_id() -> str:
    """This host, boot and process namespace: wherever these are equal, a process id means the same."""
    return f"{socket.gethostname()}/{_read('/proc/sys/kernel/random/boot_id')}/{_link('/proc/self/ns/pid')}"


@lru_cache(maxsize=4)
def process_start(pid: int) -> str:
    """When process ``pid`` started, in kernel ticks, to recognize a reused id; empty if unknown.

    Meant for one's own process: the answer is kept.
    """
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else ""


def is_alive(pid: int, start: str) -> bool:
    """Whether the process of this host with that id, started then, still runs. A zombie does not."""
    text = _read(f"/proc/{pid}/stat")
    if text:
        fields = text.rpartition(")")[2].split()
        return fields[0] not in ("Z", "X") and (not start or fields[19] == start)
    if Path("/proc/self/stat").exists():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
