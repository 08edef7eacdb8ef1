"""The settings of this package: the table ``[plugins.dask]``."""

# ruff: noqa: RUF009  # a Setting is a descriptor, made to be shared as the default of its field
from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import urlsplit

from rave_core.errors import ConfigurationError, nearest
from rave_core.settings import Count, Duration, File, PluginSettings, Table, Text
from rave_dask.tls import ENCRYPTED, Certificates

_SCHEMES: Final = ("tcp://", "tls://", "ucx://", "ws://", "wss://")


@dataclass(frozen=True, slots=True)
class Placement:
    """How the cluster treats the bodies of an operation.

    Attributes:
        priority: those with a higher one run first.
        retries: how often a body that raised an exception runs again.
        resources: what the body takes of its worker's resources, by name.
    """

    priority: int = 0
    retries: int = 0
    resources: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DaskSettings(PluginSettings):
    """The checked content of ``[plugins.dask]``.

    Attributes:
        scheduler: the address of the cluster, such as ``tcp://10.0.0.5:8786``.
        tls_ca_file: the certificate of the authority that signed those of the cluster.
        tls_cert_file: the certificate that the service shows to the scheduler, signed by that authority.
        tls_key_file: the private key of ``tls_cert_file``; ``None`` if it is in that file.
        local: workers of a cluster of its own, instead of ``scheduler``; 0 for none.
        slots: bodies that each worker of the service has in the cluster at once, running or queued there.
        patience: seconds that a body waits for a scheduler, or for a worker that can run it.
        operations: `Placement` by ``namespace/operation``, or a pattern of it with ``*``; the first that fits counts.

    Raises:
        ConfigurationError: a value is wrong; the message says what would be right.
    """

    plugin = "dask"
    scheduler: Text = Text("")
    tls_ca_file: File = File(None)
    tls_cert_file: File = File(None)
    tls_key_file: File = File(None)
    local: Count = Count(0, least=0)
    slots: Count = Count(64)
    patience: Duration = Duration(30.0)
    operations: Table = Table(dict)

    def check(self, origin: str) -> None:
        """Returns if there is one cluster, and the operations can be read."""
        if bool(self.scheduler) == bool(self.local):
            raise ConfigurationError(
                f"{origin}: write either scheduler = 'tcp://HOST:8786' for a cluster that exists, or local = 2 for two "
                "workers on this machine"
            )
        if self.scheduler and not self.scheduler.startswith(_SCHEMES):
            raise ConfigurationError(
                f"{origin}: scheduler is {self.scheduler!r}: write its address with the scheme, as 'tcp://HOST:8786'"
            )
        if self.scheduler and not _has_port(self.scheduler):
            raise ConfigurationError(
                f"{origin}: scheduler is {self.scheduler!r}: write its host and its port, as 'tcp://HOST:8786'"
            )
        self._check_tls(origin)
        for name, own in self.operations.items():
            _placement(f"{origin}: operations.{name!r}", own)

    @property
    def certificates(self) -> Certificates | None:
        """The certificates that are set; ``None`` if none are."""
        if self.tls_ca_file is None or self.tls_cert_file is None:
            return None
        return Certificates(self.tls_ca_file, self.tls_cert_file, self.tls_key_file)

    def placement(self, operation: str) -> Placement:
        """How the cluster treats ``namespace/operation``."""
        for pattern, own in self.operations.items():
            if fnmatchcase(operation, pattern):
                return _placement(pattern, own)
        return Placement()

    def _check_tls(self, origin: str) -> None:
        if (self.tls_ca_file, self.tls_cert_file, self.tls_key_file) == (None, None, None):
            return
        if not self.scheduler.startswith(ENCRYPTED):
            raise ConfigurationError(f"{origin}: certificates are set, so write scheduler = 'tls://HOST:8786'")
        if self.certificates is None:
            raise ConfigurationError(f"{origin}: tls_ca_file and tls_cert_file go together: set both")
        self.certificates.check(origin)


def _has_port(address: str) -> bool:
    """Whether an address names a host and a port that there can be."""
    try:
        parts = urlsplit(address)
        return bool(parts.hostname) and bool(parts.port)
    except ValueError:
        return False


def _placement(where: str, own: object) -> Placement:
    if not isinstance(own, Mapping):
        raise ConfigurationError(f"{where} is {own!r}: write a table such as {{priority = 10, retries = 2}}")
    known = ("priority", "retries", "resources")
    for name in own:
        if name not in known:
            raise ConfigurationError(f"{where}: unknown setting {name!r}: {nearest(str(name), known)}")
    priority, retries, resources = own.get("priority", 0), own.get("retries", 0), own.get("resources", {})
    if not _is_whole(priority):
        raise ConfigurationError(f"{where}: priority is {priority!r}: write a whole number; higher ones run first")
    if not _is_whole(retries) or retries < 0:
        raise ConfigurationError(f"{where}: retries is {retries!r}: write how often a failed body runs again, as 2")
    if not isinstance(resources, Mapping) or not all(_is_amount(each) for each in resources.values()):
        raise ConfigurationError(f"{where}: resources is {resources!r}: write amounts by name, as {{GPU = 1}}")
    return Placement(priority, retries, {str(name): float(amount) for name, amount in resources.items()})


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_amount(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value > 0
