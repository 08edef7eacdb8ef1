"""The table behind each picture: what is drawn, as rows with times and networks in place of numbers."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from rave_flow.model.windows import Bins

if TYPE_CHECKING:
    import pyarrow


def timed(table: pyarrow.Table, bins: Bins) -> pyarrow.Table:
    """The same with the start of each bin, ``ts`` in UTC, in place of its number."""
    import pyarrow

    starts = pyarrow.array(bins.starts(), pyarrow.timestamp("us", "UTC"))
    place = table.column_names.index("bin")
    return table.set_column(place, "ts", starts.take(table["bin"].combine_chunks()))


def netted(table: pyarrow.Table, prefix: int) -> pyarrow.Table:
    """The same with each network of IPv4 as text in place of its number; ``None`` is everything else."""
    import pyarrow

    nets = [
        None if net is None else f"{ipaddress.IPv4Address(net << (32 - prefix))}/{prefix}"
        for net in table["net"].to_pylist()
    ]
    return table.set_column(table.column_names.index("net"), "net", pyarrow.array(nets, pyarrow.string()))


def query_of(arguments: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """The arguments that are not the defaults, as the query of a URL; ``""`` if there are none."""
    given = {name: getattr(value, "name", value) for name, value in arguments.items()}
    shown = {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in given.items()}
    return urlencode({name: value for name, value in shown.items() if value is not None and value != defaults[name]})
