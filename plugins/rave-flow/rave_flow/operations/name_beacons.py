"""The operations that find beacons by name, in Zeek's ``dns.log`` and ``ssl.log``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rave_core import expires, mime_type, op, typemap
from rave_flow.arguments.name_sources import NameSource
from rave_flow.detectors import name_beacons as detecting
from rave_flow.errors import ChangedError, FlowError, StrictError, UnreadableError
from rave_flow.formats.name_logs import left_out_of
from rave_flow.inventory import Inventory
from rave_flow.model.flow_settings import flow_settings
from rave_flow.model.left_out import LeftOut, merged
from rave_flow.model.windows import Window
from rave_flow.operations.windowed import ARROW, Time, settling
from rave_flow.steps import names, parquet_of

if TYPE_CHECKING:
    import pyarrow

_BEFORE = timedelta(hours=1)
"""How long before its handshake a connection may begin."""


@op
@typemap(least="flow_connections", score="flow_score", start="flow_time", end="flow_time", source="flow_dns")
@mime_type(ARROW)
@expires(settling)
def dns_beacons(
    least: int = 20,
    score: float = 0.8,
    start: Time | None = None,
    end: Time | None = None,
    source: NameSource | str = "default",
) -> pyarrow.Table:
    """Which hosts ask for a name at regular intervals, by Zeek's ``dns.log`` beside the flows.

    Columns: src, name, score (0 to 1), requests, interval and interval_madm (seconds), sent and sent_madm (``None``),
    destinations (the resolvers), duration_score, histogram_score, prevalence, first_at, last_at, why; the greatest
    score first. The formula is in `rave_flow.detectors.name_beacons`.
    """
    return _beacons(cast("NameSource", source), _window(start, end), least, score)


@op
@typemap(least="flow_connections", score="flow_score", start="flow_time", end="flow_time", source="flow_ssl")
@mime_type(ARROW)
@expires(settling)
def sni_beacons(
    least: int = 20,
    score: float = 0.8,
    start: Time | None = None,
    end: Time | None = None,
    source: NameSource | str = "default",
) -> pyarrow.Table:
    """Which hosts connect by TLS to a name at regular intervals, by Zeek's ``ssl.log`` beside the flows.

    Columns: as `dns_beacons`; sent and sent_madm are bytes of the connections, found by their ``uid``; destinations is
    how many addresses had the name.
    """
    return _beacons(cast("NameSource", source), _window(start, end), least, score)


def _window(start: Time | None, end: Time | None) -> Window:
    return Window(cast("datetime | None", start), cast("datetime | None", end))


def _beacons(source: NameSource, window: Window, least: int, score: float) -> pyarrow.Table:
    logs, left_out = _read(source)
    flows: list[Path] = []
    if source.kind == "ssl":
        wider = Window(window.start - _BEFORE if window.start else None, window.end)
        selection = Inventory.of(source.source.repository, wider).select(wider)
        flows, left_out = parquet_of(selection.slices), left_out + selection.left_out
    table = detecting.name_beacons(logs, flows, window, least, score)
    return table.replace_schema_metadata(left_out.metadata())


def _read(source: NameSource) -> tuple[Sequence[Path], LeftOut]:
    """The logs as Parquet; one that can't be read is left out and named.

    Raises:
        FlowError: none can be read; the error is that of the first one.
        StrictError: something is left out, and ``strict`` is set.
    """
    read: list[Path] = []
    failures: list[tuple[str, str]] = list(source.passed_over)
    first: FlowError | None = None
    for file in source.logs:
        try:
            read.append(Path(names(file, source.kind)))
        except (ChangedError, UnreadableError) as error:
            first = first or error
            failures.append((file.name, str(error).removeprefix(f"{file.path}: ")))
    if not read and first is not None:
        raise first
    left_out = merged([LeftOut(files=tuple(failures)), *map(left_out_of, read)])
    if left_out and flow_settings().strict:
        raise StrictError(f"{left_out.sentences()[0]}; strict is set, so there is no answer")
    return read, left_out
