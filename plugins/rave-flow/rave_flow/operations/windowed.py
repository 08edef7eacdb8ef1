"""What all operations share: their times, what a source holds of a window, and how long answers are kept."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, TypeAlias, cast

from rave_core import crossover_strategy
from rave_flow.arguments.converters import Source
from rave_flow.inventory import Inventory, Selection
from rave_flow.model.roles import with_roles
from rave_flow.model.windows import Window

if TYPE_CHECKING:
    import pyarrow

    from rave_core.expiry import Request

ARROW = "application/vnd.apache.arrow.stream"

Time: TypeAlias = datetime | date | str
"""What a caller may give as a time; a typemap makes a datetime in UTC of it before a body runs."""

_by_end = crossover_strategy("5m", "5d", "3h", "end")


def settling(request: Request) -> float:
    """Five minutes while flows of the window may still come in, five days once it ended three hours ago."""
    return request.generated_at + 300 if request.arguments["end"] is None else _by_end(request)


def selected(source: Source | str, start: Time | None, end: Time | None) -> tuple[Inventory, Selection]:
    """What the source holds, and the part of it between two times, all converted already."""
    window = Window(cast("datetime | None", start), cast("datetime | None", end))
    inventory = Inventory.of(cast("Source", source).repository, window)
    return inventory, inventory.select(window)


def noted(table: pyarrow.Table, selection: Selection) -> pyarrow.Table:
    """``table``, whose metadata say what its columns are, and what could not be read."""
    return with_roles(table.replace_schema_metadata((table.schema.metadata or {}) | selection.notes))
