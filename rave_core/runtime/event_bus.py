"""The bus that the setting ``events`` names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rave_core.errors import ConfigurationError, UnknownNameError
from rave_core.text.secrets import without_secrets

if TYPE_CHECKING:
    from rave_core.events import Bus
    from rave_core.plugins.discovery import Plugins

LOCAL = "local:"
"""The setting for events that do not leave the host."""


def open_bus(url: str, plugins: Plugins) -> Bus | None:
    """The bus at ``url``, not connected yet; ``None`` for events that do not leave the host.

    Raises:
        ConfigurationError: the URL, its scheme or one of its options is wrong.
    """
    if url == LOCAL:
        return None
    from rave_core.backend import StoreURL

    if url.startswith(LOCAL) or ":" not in url:
        raise ConfigurationError(
            f"events = {without_secrets(url)!r}: write 'local:', or the URL of a bus such as 'valkey://host:6379/0'"
        )
    parsed = StoreURL(url)
    try:
        factory = plugins.buses.find(parsed.scheme)
    except UnknownNameError as error:
        hint = "rave-valkey adds 'valkey', and rave-framework[postgresql] 'postgresql'"
        raise ConfigurationError(f"events = {str(parsed)!r}: {error}; {hint}") from error
    return factory(parsed)
