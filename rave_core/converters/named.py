"""The converters that the core supplies by name."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from rave_core.converters.converter import Converter, FunctionConverter, parse_json
from rave_core.converters.files import PATHS, FileContent, FileStat
from rave_core.converters.precise import to_address, to_network, to_port, to_size
from rave_core.converters.times import DURATION_SCHEMA, to_date, to_datetime, to_seconds


def to_json(value: Any) -> Any:
    """The value of a JSON text; any other value as it comes out of JSON, so that a tuple is a list.

    Raises:
        TypeError, ValueError: it is no JSON, or can't be any.
    """
    if isinstance(value, str):
        return parse_json(value)
    import json  # only here: few programs have such parameters

    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except RecursionError as error:
        raise ValueError("it nests too deep") from error


iso_date: Final = FunctionConverter("iso_date", to_date, {"type": "string", "format": "date"}, date)
"""A date, of ISO 8601 text."""

iso_datetime: Final = FunctionConverter(
    "iso_datetime", to_datetime, {"type": "string", "format": "date-time"}, datetime
)
"""A date and time, of ISO 8601 text."""

_SIZE_SCHEMA: Final = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": 2**62},
        {"type": "string", "pattern": "^[1-9][0-9]{0,5}(?:[kMGT]?B|[KMGT]iB)?$"},
    ],
    "examples": ["64KiB", 65536],
}
_ADDRESS_SCHEMA: Final = {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}
_NETWORK_SCHEMA: Final = {"type": "string", "examples": ["10.0.0.0/8", "2001:db8::/32"]}
_PORT_SCHEMA: Final = {"type": "integer", "minimum": 0, "maximum": 65535}

BUILTIN: Final[dict[str, Converter]] = {
    "iso_date": iso_date,
    "iso_datetime": iso_datetime,
    "duration": FunctionConverter("duration", to_seconds, DURATION_SCHEMA),
    "size": FunctionConverter("size", to_size, _SIZE_SCHEMA),
    "ip_address": FunctionConverter("ip_address", to_address, _ADDRESS_SCHEMA),
    "ip_network": FunctionConverter("ip_network", to_network, _NETWORK_SCHEMA),
    "port": FunctionConverter("port", to_port, _PORT_SCHEMA),
    "json": FunctionConverter("json", to_json, takes_none=True),
    "path": PATHS[Path],
    "file_content": PATHS[FileContent],
    "file_stat": PATHS[FileStat],
}
"""The core's own converters, by the name that a typemap may give."""
