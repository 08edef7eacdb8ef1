"""Figures of matplotlib and plotly as pictures. Neither is imported before one of its figures turns up."""

from __future__ import annotations

import importlib.util
import io
import sys
import threading
from functools import cache, partial
from typing import Any, Final

_drawing = threading.Lock()  # matplotlib is not safe for threads, and a figure in memory has several readers
_UNDATED: Final[dict[str, dict[str, None]]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}


@cache
def is_installed(package: str) -> bool:
    """Whether a package could be imported, without doing so."""
    return importlib.util.find_spec(package) is not None


def figure_library(value: Any) -> str | None:
    """``matplotlib`` or ``plotly`` if ``value`` is a figure of theirs, or ``None``."""
    for parent in type(value).__mro__:
        if (parent.__module__, parent.__name__) == ("matplotlib.figure", "Figure"):
            return "matplotlib"
        if (parent.__module__, parent.__name__) == ("plotly.basedatatypes", "BaseFigure"):
            return "plotly"
    return None


def drawn(figure: Any, form: str) -> bytes:
    """A figure of matplotlib as ``png``, ``svg`` or ``pdf``: the same bytes each time, without date or random IDs.

    It also closes the figure in pyplot, which would otherwise keep it forever.
    """
    import matplotlib

    sink = io.BytesIO()
    with _drawing:
        parameters: Any = matplotlib.rcParams
        before = parameters["svg.hashsalt"]
        parameters["svg.hashsalt"] = before or "rave"
        try:
            figure.savefig(sink, format=form, metadata=_UNDATED[form])
        finally:
            parameters["svg.hashsalt"] = before
            forget = getattr(sys.modules.get("matplotlib.pyplot"), "close", None)
            if forget is not None:
                forget(figure)
    return sink.getvalue()


def plotly_json(figure: Any) -> bytes:
    """A figure of plotly as JSON, which its libraries in every language read."""
    return str(figure.to_json()).encode()


def plotly_page(figure: Any) -> bytes:
    """A figure of plotly as a self-contained page, including its library; the same bytes each time."""
    page = figure.to_html(include_plotlyjs=True, full_html=True, div_id="figure")
    return str(page).encode("utf-8", "replace")


def plotly_picture(figure: Any, form: str) -> bytes:
    """A figure of plotly as ``png`` or ``svg``; needs kaleido."""
    return bytes(figure.to_image(format=form))


png_of = partial(drawn, form="png")
svg_of = partial(drawn, form="svg")
pdf_of = partial(drawn, form="pdf")
