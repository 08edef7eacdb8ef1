"""A dashboard as it was: the document that says which kept result each of its calls had."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from rave_http.description.dashboards import Dashboard

FROZEN_FORMAT: Final = "rave.frozen/1"


class FrozenBoard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dashboard whose panels stay as they were.

    Attributes:
        format: of the document.
        version: of the dashboard.
        board: the dashboard of that version.
        texts: time and variables that it showed, as the parameters of its page have them.
        results: the identifiers of kept results, by call as `rave_http.description.saved_calls.AskedCall.plain` has it.
    """

    format: Literal["rave.frozen/1"] = FROZEN_FORMAT
    version: int
    board: Dashboard
    texts: dict[str, str]
    results: Annotated[dict[str, str], msgspec.Meta(max_length=1000)]
