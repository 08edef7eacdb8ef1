"""The options of one request: the ``rave_…`` names beside the arguments of the operation."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from rave_http.client.progress import Listener

_PREFIX = "rave_"
_FORM = "rave.f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one request for a product.

    Attributes:
        refresh: compute it even if a result is stored.
        deep_refresh: compute it and everything that it calls.
        only_cached: give the stored result, or raise `NotKept`.
        format: the form by the service's short name for it, as in ``csv``.
        accept: the forms by media type, as in a header ``Accept``.
        timeout: seconds until it has to be ready; ``None`` waits for as long as its job runs.
        total_timeout: seconds until all of it has to be here; ``None`` for as long as bytes come.
        on_progress: called with its progress, in the thread that waits.
        resume: for a file: resume an interrupted download, and keep a partial file for the next run.
    """

    refresh: bool = False
    deep_refresh: bool = False
    only_cached: bool = False
    format: str | None = None
    accept: str | None = None
    timeout: float | None = None
    total_timeout: float | None = None
    on_progress: Listener | None = None
    resume: bool = True

    @property
    def controls(self) -> list[tuple[str, str]]:
        """The ``rave.…`` parameters that say this to the service."""
        flags = [("rave.refresh", self.refresh), ("rave.deep_refresh", self.deep_refresh)]
        flags.append(("rave.only_cached", self.only_cached))
        form = self.format or (self.accept if self._is_page else None)
        return [(name, "true") for name, is_set in flags if is_set] + ([(_FORM, form)] if form else [])

    @property
    def headers(self) -> dict[str, str]:
        """The headers that say this to the service."""
        return {"Accept": self.accept} if self.accept and not self._is_page else {}

    @property
    def _is_page(self) -> bool:
        """Whether the caller wants a page: a header ``Accept`` for it would make us look like a browser.

        Tickets and problems would then come as pages too, which the client can't read.
        """
        return self.accept is not None and self.accept.strip().lower() in ("text/html", "application/xhtml+xml")


def take_options(arguments: Mapping[str, Any], default: Options) -> tuple[Options, dict[str, Any]]:
    """The options among keyword arguments, over those of ``default``, and the arguments without them.

    Raises:
        TypeError: a name starts with ``rave_`` and is no option.
    """
    given = {name: value for name, value in arguments.items() if name.startswith(_PREFIX)}
    known = [f"{_PREFIX}{each.name}" for each in fields(Options)]
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
            raise TypeError(f"unknown option {name!r}; {hint}")
    options = replace(default, **{name.removeprefix(_PREFIX): value for name, value in given.items()})
    return options, {name: value for name, value in arguments.items() if name not in given}
