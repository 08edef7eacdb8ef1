"""Settings without their secrets, which do not travel: each worker has them in settings of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rave_core.settings import Settings
from rave_core.settings.settings import shown
from rave_core.text.secrets import HIDDEN
from rave_http.executors.handover import MisfitError


def bare(settings: Settings) -> tuple[Settings, tuple[str, ...]]:
    """The settings that travel, and the names of those in which something is hidden.

    What only a service needs, ``service`` and ``release``, stays behind.
    """
    plain = replace(settings, service={}, release=None)
    visible: dict[str, Any] = {
        name: value for name, value, _ in plain.explain() if _has_secret(getattr(plain, name), value)
    }
    return replace(plain, **visible), tuple(visible)


def restored(settings: Settings, hidden: tuple[str, ...], own: Settings) -> Settings:
    """The settings as they were before `bare`, with what was hidden from ``own``.

    Raises:
        MisfitError: ``own`` has something else there.
    """
    found = {}
    for name in hidden:
        try:
            found[name] = _filled(getattr(settings, name), getattr(own, name), name)
        except LookupError:
            raise MisfitError(
                f"passwords and the like do not travel, and the setting {name!r} has one: give the worker the same "
                f"{name!r} in settings of its own"
            ) from None
    return replace(settings, **found)


def _has_secret(value: object, visible: object) -> bool:
    return visible != value and HIDDEN in str(visible)


def _filled(value: Any, own: Any, name: str = "") -> Any:
    """``value`` with what is hidden in it taken from ``own``; `LookupError` if the rest differs."""
    if isinstance(value, Mapping):
        others = own if isinstance(own, Mapping) else {}
        return {key: _filled(inner, others.get(key), str(key)) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        each = own if isinstance(own, (list, tuple)) and len(own) == len(value) else [None] * len(value)
        return type(value)(_filled(inner, other) for inner, other in zip(value, each, strict=True))
    if not isinstance(value, str) or HIDDEN not in value:
        return value
    if own is None or shown(own, name) != value:
        raise LookupError(name)
    return own
