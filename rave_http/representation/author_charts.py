"""The charts that the author of an operation wants of its tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rave_core.functions.page_hints import PageView
from rave_core.rendering import rows_of
from rave_http.pages.chart import Chart
from rave_http.pages.charts import chart_of
from rave_http.pages.points import MOST_POINTS
from rave_http.representation.table_rows import Matching


def charts_of(views: Iterable[PageView], found: Matching) -> Sequence[tuple[str, Chart | str]]:
    """The title and the chart of each view; in place of a chart that can't be drawn, why."""
    names = found.table.schema.names
    rows = [list(row) for row in rows_of(found.part(0, MOST_POINTS), "html").rows]
    return [(view.title, _drawn(view, names, rows, found.total)) for view in views]


def _drawn(view: PageView, names: Sequence[str], rows: Sequence[Sequence[Any]], total: int) -> Chart | str:
    try:
        return chart_of(view.mark, names, rows, x=view.x, y=view.y, series=view.series, down=view.down, total=total)
    except ValueError as error:
        return str(error)
