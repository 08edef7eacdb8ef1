"""The settings of the service: the table ``[service]`` of ``rave.toml``, and the switches of a command."""

# ruff: noqa: RUF009  # a Setting is a descriptor, made to be shared as the default of its field
from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

from rave_core.errors import ConfigurationError, nearest
from rave_core.settings import Settings
from rave_core.settings.kinds import (
    Choice,
    Count,
    Duration,
    Flag,
    OptionalDuration,
    Setting,
    Size,
    Table,
    Tables,
    Text,
    Word,
    Words,
)
from rave_core.settings.places import File
from rave_core.settings.sources import working_directory
from rave_core.text.durations import parse_duration

__all__ = ["PERMISSIONS", "ServiceSettings"]

PERMISSIONS = ("view", "run", "refresh", "write", "purge", "reload", "metrics", "debug", "admin")
"""The permissions, each for a namespace or, as ``*``, for all."""
_OF_OPERATIONS = ("time_limit", "executor")


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """How the service behaves. Every value is checked and converted; safe to share and to pickle.

    Attributes:
        origins: the origin of each setting's value, in words, by the name of the setting.
        bind: the address to listen on: ``host:port``, ``[v6]:port``, or ``unix:/path``.
        workers: processes that answer requests.
        max_connections: connections of each worker. A further one takes the place of an idle one, or is refused.
        header_time: seconds within which the head of a request has to arrive, and the first one of a connection.
        body_time: the same for its body.
        keep_alive: seconds that an idle connection is kept; whole ones. A proxy in front has to keep it for less.
        stall_time: seconds after which a client that reads nothing of its answer is dropped.
        client_share: percent of a worker's connections, threads, queue, waiting requests and event streams that one
            client may take: a user, or an anonymous client's address. The connections of trusted proxies are exempt.
        client_bytes: bytes of results that one client may have stored by each worker within an hour.
        threads: bodies of operations that run at once in each worker.
        processes: the same for the executor ``processes``.
        executor: where bodies run: ``threads``, ``processes``, or one that a plugin registered.
        url_base: the prefix of every URL that the service gives out; without it they start at the root.
        wait: seconds that a plain request waits for a product that is being made, before it gets a ticket.
        max_wait: seconds that a request may ask to wait, at most.
        max_waiting: requests that may wait at once in each worker; a further one gets a ticket right away.
        queue: jobs that may wait for a place in each worker; a further one is refused.
        time_limit: seconds that one job may take; ``None`` for no limit.
        operations: for single operations, by ``namespace/operation``: ``time_limit`` and ``executor``.
        grace: seconds that running jobs get to finish when a worker stops.
        failure_time: seconds that a failure is remembered, so that a failing operation does not run again and again.
        ticket_time: seconds that a ticket stays valid after it was last issued.
        kept_time: seconds that a kept result stays, unless another time is named; longer ones need ``admin``.
        kept_bytes: what all kept results may take; more needs ``admin``.
        max_body: bytes of a request's body.
        memory: bytes of ready representations that each worker keeps.
        max_age_forever: seconds that browsers and caches in front may keep a result that never expires. They do not
            learn of a change of the code, which the service itself sees at once.
        max_events: event streams in each worker.
        sendfile: who sends files: the service itself (``off``), or the server in front of it.
        sendfile_prefix: the prefix of nginx's internal location for the products' directory.
        product_urls: seconds that a URL of the object store stays valid, to which the service redirects requests for a
            kept file; ``None`` if the service sends such files itself.
        anonymous: permissions of requests without credentials. If it is not set and other hosts can reach the service,
            such requests have none, unless ``allow_anonymous`` is set.
        allow_anonymous: whether an address that other hosts reach may be served without authentication.
        keys_file: the file of the API keys; ``None`` for the one in the user's configuration directory.
        session_time: seconds for which a browser stays signed in without asking for anything.
        proxy_header: the header in which a trusted proxy names the user; empty for none.
        trusted_proxies: addresses or networks whose ``proxy_header``, ``X-Forwarded-For`` and ``-Proto`` are believed.
        permissions: by principal (``*`` for everybody with credentials), then by namespace: lists of permissions.
        hosts: names under which the service answers besides ``localhost``, addresses, the machine's own name and that
            of ``url_base``; ``*`` for any. Behind a proxy on another socket than a Unix one, its public name.
        cors_origins: origins whose pages may read answers, and ask in the name of a browser's user; ``*`` for all.
        rate_limit: jobs that one principal may start, as in ``60/minute``; empty for no limit.
        access_log: where requests are logged as JSON: ``-`` for standard output, a path, or empty for nowhere.
        namespaces: the collection of documents that lists directories below ``namespace_root``; empty for none.
        namespace_config: an INI file with a section ``[namespaces]``; ``None`` for none.
        namespace_root: the value of ``%(nsroot)s`` in it.
        reload: whether changes in namespaces that are directories are noticed.
        load_error_fatal: whether a namespace that fails to load prevents the start of the service.

    Raises:
        ConfigurationError: a value is wrong; the message says what would be right.
    """

    origins: Mapping[str, str] = field(init=False, compare=False, default_factory=dict)
    bind: Word = Word("127.0.0.1:8888")
    workers: Count = Count(2, most=1024)
    max_connections: Count = Count(1000)
    header_time: Duration = Duration(20.0)
    body_time: Duration = Duration(60.0)
    keep_alive: Duration = Duration(5.0)
    stall_time: Duration = Duration(60.0)
    client_share: Count = Count(80, most=100)
    client_bytes: Size = Size("10GiB")
    threads: Count = Count(5)
    processes: Count = Count(2, most=1024)
    executor: Word = Word("threads")
    url_base: Text = Text("")
    wait: Duration = Duration(20.0, zero=True)
    max_wait: Duration = Duration(60.0, zero=True)
    max_waiting: Count = Count(1000, least=0)
    queue: Count = Count(100, least=0)
    time_limit: OptionalDuration = OptionalDuration(None)
    operations: Tables = Tables(dict)
    grace: Duration = Duration(30.0)
    failure_time: Duration = Duration(5.0, zero=True)
    ticket_time: Duration = Duration(86400.0)
    kept_time: Duration = Duration(90 * 86400.0)
    kept_bytes: Size = Size("1GiB")
    max_body: Size = Size("1MiB")
    memory: Size = Size("64MiB")
    max_age_forever: Duration = Duration(3600.0, zero=True)
    max_events: Count = Count(200, least=0)
    sendfile: Choice = Choice("off", "off", "x-accel", "x-sendfile")
    sendfile_prefix: Text = Text("/-/files/")
    product_urls: OptionalDuration = OptionalDuration(None)
    anonymous: Words = Words(("view", "run", "metrics"))
    allow_anonymous: Flag = Flag(False)
    keys_file: File = File(None)
    session_time: Duration = Duration(43200.0)
    proxy_header: Text = Text("")
    trusted_proxies: Words = Words(("127.0.0.1", "::1"))
    permissions: Table = Table(dict)
    hosts: Words = Words(())
    cors_origins: Words = Words(())
    rate_limit: Text = Text("")
    access_log: Text = Text("")
    namespaces: Text = Text("")
    namespace_config: File = File(None)
    namespace_root: File = File(None)
    reload: Flag = Flag(True)
    load_error_fatal: Flag = Flag(False)

    @classmethod
    def of(cls, settings: Settings, overrides: Mapping[str, object] | None = None) -> Self:
        """The service's settings among all settings, overridden by the values of a command.

        Raises:
            ConfigurationError: one is unknown or wrong; the message names it, its origin, and what would be right.
        """
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        table = settings.origins.get("service", "given")
        sources = ((f"{table} [service]", settings.service), ("given", overrides or {}))
        known = known_service_settings()
        for origin, source in sources:
            for name, value in source.items():
                if name not in known:
                    raise ConfigurationError(f"{origin}: unknown setting {name!r}: {nearest(name, known)}")
                values[name] = known[name].checked(value, _directory(origin), origin)
                origins[name] = origin
        found = cls(**values)
        found.origins.update(origins)  # type: ignore[attr-defined]  # ours to fill, others' to read
        found._check_operations()
        if found.namespaces and found.namespace_root is None:
            where = f"{origins['namespaces']}: namespaces is {found.namespaces!r}"
            raise ConfigurationError(f"{where}: set namespace_root, below which documents may name directories")
        return found

    def limit_of(self, operation: str) -> float | None:
        """Seconds that a job of ``namespace/operation`` may take; ``None`` for no limit."""
        own = self.operations.get(operation, {})
        if "time_limit" not in own:
            return self.time_limit
        return None if own["time_limit"] == "never" else parse_duration(cast("str | float", own["time_limit"]))

    def share_of(self, number: int) -> int:
        """How many of ``number`` one client may take, at least one."""
        return max(1, number * self.client_share // 100)

    def _check_operations(self) -> None:
        origin = self.origins["operations"]
        for name, own in self.operations.items():
            where = f"{origin}: operations.{name!r}"
            for setting in own:
                if setting not in _OF_OPERATIONS:
                    raise ConfigurationError(
                        f"{where}: unknown setting {setting!r}: {nearest(setting, _OF_OPERATIONS)}"
                    )
            try:
                self.limit_of(name)
            except ValueError as error:
                raise ConfigurationError(f"{where}: time_limit: {error}, or 'never'") from error
            if not isinstance(own.get("executor", ""), str):
                raise ConfigurationError(f"{where}: executor is {own['executor']!r}: write a name, as 'processes'")

    def guarded(self, outside: str) -> Self:
        """These settings as they apply at an address: no default makes a service public.

        Args:
            outside: the address at which other hosts reach the service; empty for none.
        """
        if not outside or self.allow_anonymous or self.origins["anonymous"] != "default":
            return self
        found = copy.copy(self)
        found.__dict__["anonymous"] = ()
        return found

    def explain(self) -> list[tuple[str, object, str]]:
        """Name, value and origin of every setting, in order."""
        return [(name, getattr(self, name), self.origins[name]) for name in known_service_settings()]


def known_service_settings() -> dict[str, Setting[Any, Any]]:
    """Every setting of the service by name, in the order of the reference."""
    return {name: value for name, value in vars(ServiceSettings).items() if isinstance(value, Setting)}


def _directory(origin: str) -> Path:
    """The start of relative paths: the directory of the file that has the value, else the working directory.

    If several files have the table, the one with the highest precedence counts.
    """
    _, colon, path = origin.removesuffix(" [service]").rpartition(", ")[2].partition(":")
    return Path(path).parent if colon and path.startswith("/") else working_directory()
