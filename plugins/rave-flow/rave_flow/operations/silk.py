"""The algebra as operations, for the command line and over HTTP: one filter of a source, then one tool.

In Python chains of any length are built with `rave_flow.silk`. Here each operation takes the options of `rwfilter`,
``fail_destination`` among them, beside its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rave_core import Operation, op
from rave_flow.errors import ParameterError
from rave_flow.operations.windowed import ARROW
from rave_flow.silk import tools
from rave_flow.silk.flows import CUT_FIELDS, Flows
from rave_flow.sql.silk_options import span_of
from rave_flow.steps import CODE

if TYPE_CHECKING:
    import pyarrow

    from rave_core.expiry import Request

MOST_RECORDS = 10_000

TYPES: dict[str, Any] = {
    "protocol": "flow_protocols", "sport": "flow_ports", "dport": "flow_ports", "aport": "flow_ports",
    "saddress": "flow_addresses", "daddress": "flow_addresses", "any_address": "flow_addresses",
    "not_saddress": "flow_addresses", "not_daddress": "flow_addresses", "not_any_address": "flow_addresses",
    "bytes": "flow_sizes", "packets": "flow_ranges", "duration": "flow_seconds", "flags_all": "flow_flags",
    "type": "flow_types",
    "start_date": "flow_date", "end_date": "flow_date", "fail_destination": bool, "source": "flow_source",
}  # fmt: skip
"""The type of each option of `rwfilter`."""

_DEFAULTS: dict[str, Any] = {**dict.fromkeys(TYPES), "fail_destination": False, "source": "default"}


def _sorted(flows: Flows, *, fields: tuple[str, ...], reverse: bool, num_recs: int) -> pyarrow.Table:
    return tools.rwcut(tools.rwsort(flows, fields=fields, reverse=reverse), num_recs=num_recs)


def _addresses(flows: Flows, *, sip: bool, dip: bool) -> pyarrow.Table:
    import pyarrow

    ends = (*(["src"] if sip else []), *(["dst"] if dip else []))
    if not ends:
        raise ParameterError("rwset: sip=true or dip=true, or both, expected")
    return pyarrow.table({"address": pyarrow.array(tools.seen(flows, ends), pyarrow.string())})


TOOLS: dict[str, tuple[Callable[..., Any], dict[str, tuple[Any, Any]], str]] = {
    "rwfilter": (
        tools.rwcut,
        {"fields": ("flow_fields", CUT_FIELDS), "num_recs": ("flow_records", 100)},
        "The flows that pass all options, the earliest first: a table of ``fields``, at most ``num_recs`` rows.",
    ),
    "rwsort": (
        _sorted,
        {"fields": ("flow_fields", ("stime",)), "reverse": (bool, False), "num_recs": ("flow_records", 100)},
        "The flows that pass all options, in the order of ``fields``: a table, at most ``num_recs`` rows.",
    ),
    "rwset": (
        _addresses,
        {"sip": (bool, True), "dip": (bool, False)},
        "The distinct addresses of the sources, destinations or both of the flows that pass all options, in order.",
    ),
    "rwcount": (
        tools.rwcount,
        {"bin_size": ("flow_width", 300), "load_scheme": ("flow_scheme", 4)},
        "Records, bytes and packets in bins of time, of the flows that pass all options.",
    ),
    "rwuniq": (
        tools.rwuniq,
        {"fields": ("flow_fields", ("sip",)), "values": ("flow_values", ("records", "packets", "bytes"))},
        "Each combination of ``fields`` with its values, of the flows that pass all options.",
    ),
    "rwstats": (
        tools.rwstats,
        {
            "fields": ("flow_fields", ("sip",)),
            "values": ("flow_values", ("bytes", "packets", "records")),
            "count": ("flow_number", 10),
            "bottom": (bool, False),
        },
        "The combinations of ``fields`` with most of the first value, and their shares, of the flows that pass.",
    ),
    "rwtotal": (
        tools.rwtotal,
        {"key": ("flow_key", "protocol")},
        "Records, bytes and packets by one key, of the flows that pass all options.",
    ),
}


def settled(request: Request) -> float:
    """Five minutes while flows of the dates may still come in, five days once they ended three hours ago."""
    window = span_of(request.arguments["start_date"], request.arguments["end_date"])
    is_over = window.end is not None and window.end.timestamp() + 3 * 3600 < request.generated_at
    return request.generated_at + (5 * 86400 if is_over else 300)


def _operation(name: str) -> Operation[..., Any]:
    _, own, doc = TOOLS[name]
    defaults = {**{option: default for option, (_, default) in own.items()}, **_DEFAULTS}
    kind = inspect.Parameter.KEYWORD_ONLY

    def run(**arguments: Any) -> Any:
        return answer(name, arguments)

    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # inspect looks for it
        [inspect.Parameter(option, kind, default=default) for option, default in defaults.items()]
    )
    run.__doc__, run.__name__, run.__qualname__ = doc, name, name
    types = {**{option: given for option, (given, _) in own.items()}, **TYPES}
    decorate = op(name=f"flow/{name}", version=CODE, expires=settled, mime_type=ARROW, typemap=types)
    return decorate(run)


def answer(name: str, arguments: dict[str, Any]) -> Any:
    """What a tool gives of the flows that pass.

    Raises:
        ParameterError: too many rows are asked for, or the dates contradict each other.
        FlowError: the source can't be read.
    """
    tool, own, _ = TOOLS[name]
    given = {option: arguments.pop(option) for option in own}
    if given.get("num_recs", 0) > MOST_RECORDS:
        raise ParameterError(f"num_recs={given['num_recs']}: at most {MOST_RECORDS} expected; narrow the filter")
    return tool(tools.rwfilter(**arguments), **given)


__export__: dict[str, Operation[..., Any]] = {name: _operation(name) for name in TOOLS}
