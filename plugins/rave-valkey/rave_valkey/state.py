"""A server's settings, as far as they matter to a cache."""

from __future__ import annotations

from rave_core.errors import BackendError
from rave_valkey.server import Server


def shortcomings(server: Server) -> list[str]:
    """What does not suit a cache, each point in words; empty if the server does not say."""
    return [words for words in (_memory(server), _persistence(server)) if words]


def _memory(server: Server) -> str:
    told = _told(server, "memory")
    policy, limit = told.get("maxmemory_policy", ""), told.get("maxmemory", "0")
    if limit == "0" or not policy or policy.startswith("allkeys-"):
        return ""
    return (
        f"with maxmemory-policy {policy} it takes no more results once its maxmemory of {limit} bytes is full; "
        "allkeys-lru makes room"
    )


def _persistence(server: Server) -> str:
    told = _told(server, "persistence")
    if told.get("aof_enabled") != "0":
        return ""
    try:
        answer = server.run("ask for its settings", "CONFIG", "GET", "save")
    except BackendError:
        return ""  # many servers keep their settings to themselves
    if len(answer) != 2 or answer[1]:
        return ""
    return "it keeps nothing on disk, so that its results are lost when it stops; its settings save or appendonly do"


def _told(server: Server, section: str) -> dict[str, str]:
    try:
        text: bytes = server.run("ask how it is", "INFO", section)
    except BackendError:
        return {}  # ``check`` reports it, or it is not allowed
    lines = (line.partition(":") for line in text.decode(errors="replace").splitlines())
    return {name: value for name, colon, value in lines if colon}
