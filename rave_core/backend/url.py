"""The parsed URL of a backend, and the values that its options accept."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from rave_core.errors import ConfigurationError, nearest
from rave_core.text.durations import parse_duration
from rave_core.text.secrets import without_secrets

T = TypeVar("T")


class StoreURL:
    """The parsed URL of a backend. A factory takes the options that it knows, then calls ``done``.

    Attributes:
        text: the URL as it was written, without credentials and options that look like secrets, for messages.
        scheme, host: lower case scheme; host with port, without credentials.
        path: unquoted.
    """

    def __init__(self, text: str) -> None:
        try:
            parts = urlsplit(text)
        except ValueError as error:
            raise ConfigurationError(
                f"backend {without_secrets(text)!r} is not a URL: {without_secrets(str(error))}"
            ) from None
        if not parts.scheme or "://" not in text:
            raise ConfigurationError(
                f"backend {without_secrets(text)!r} is not a URL: expected memory:// or file:///path"
            )
        self.scheme = parts.scheme.lower()
        self.host = parts.netloc.rpartition("@")[2]
        self.path = unquote(parts.path)
        self.text = without_secrets(_CREDENTIALS.sub("", text))
        self._credentials = parts.netloc.rpartition("@")[0]
        self._options: dict[str, str] = {}
        self._known: set[str] = set()
        for name, value in parse_qsl(parts.query, keep_blank_values=True):
            if name in self._options:
                raise ConfigurationError(f"{self.text}: option {name!r} is given twice")
            self._options[name] = value

    def take(self, name: str, convert: Callable[[str], T], default: T) -> T:
        """The option ``name``, converted; ``default`` if it is absent.

        Raises:
            ConfigurationError: ``convert`` refused it (by ``ValueError`` or ``TypeError``).
        """
        self._known.add(name)
        return self._given(name, convert) if name in self._options else default

    def _given(self, name: str, convert: Callable[[str], T]) -> T:
        text = self._options.pop(name)
        try:
            return convert(text)
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"{self.text}: option {name}={text!r}: {error}") from error

    def take_each(self, prefix: str, convert: Callable[[str], T]) -> dict[str, T]:
        """The options ``prefix.NAME``, converted, by ``NAME``; as for ``take``."""
        self._known.add(f"{prefix}.NAME")
        names = [name for name in self._options if name.startswith(f"{prefix}.") and name != f"{prefix}."]
        return {name[len(prefix) + 1 :]: self._given(name, convert) for name in names}

    def take_credentials(self) -> tuple[str, str]:
        """User and password in front of the host, empty if there are none."""
        user, _, password = self._credentials.partition(":")
        self._credentials = ""
        return unquote(user), unquote(password)

    def done(self) -> None:
        """Refuses options and credentials that were not taken; the message names the nearest known option.

        Raises:
            ConfigurationError: there is something.
        """
        if self._credentials:
            raise ConfigurationError(
                f"{self.text}: a {self.scheme}:// URL takes no user or password; settings are often shown and shared"
            )
        for name in self._options:
            raise ConfigurationError(f"{self.text}: unknown option {name!r}; {nearest(name, self._known)}")

    def __str__(self) -> str:
        return self.text


_CREDENTIALS = re.compile(r"(?<=://)[^/&]*@")  # of an endpoint among the options, too

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def parse_size(text: str) -> int:
    """Bytes from ``"256MiB"``, ``"1.5GB"`` or ``"4096"``. Binary units end in ``iB``, decimal ones in ``B``.

    Raises:
        ValueError: not a size.
    """
    number = text.strip().rstrip("bBiIkKmMgGtT ")
    unit = text.strip()[len(number) :].strip().lower()
    try:
        size = float(number) * _UNITS[unit]
        if not 0 < size < 2**63:
            raise ValueError
        return int(size)
    except (ValueError, KeyError):
        raise ValueError(f"{text!r} is not a size, such as 512, 64KiB, 256MiB or 1GiB") from None


def parse_age(text: str) -> float:
    """Seconds from a duration such as ``"5m"``, one at least.

    Raises:
        ValueError: not such a duration.
    """
    seconds = parse_duration(text)
    if not 1 <= seconds < 2**53:
        raise ValueError("expected a time of 1s or more, as in 30s or 5m")
    return seconds


def parse_flag(text: str) -> bool:
    """A yes or no.

    Raises:
        ValueError: neither.
    """
    lowered = text.strip().lower()
    if lowered in ("1", "true", "yes", "on"):
        return True
    if lowered in ("0", "false", "no", "off"):
        return False
    raise ValueError(f"{text!r} is not true or false")


def parse_count(text: str) -> int:
    """A number of things, one at least: ``"1000"``, ``"50k"``, ``"2M"``.

    Raises:
        ValueError: not such a number.
    """
    found = _COUNT.fullmatch(text.strip())
    if not found or not (count := int(found[1]) * {"": 1, "k": 10**3, "M": 10**6}[found[2]]):
        raise ValueError(f"{text!r} is not a number of entries, such as 1000, 50k or 2M")
    return count


_COUNT = re.compile(r"([0-9]{1,15})(|k|M)")
