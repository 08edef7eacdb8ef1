"""The algebra as operations, for the command line and over HTTP: one filter of a source, then one tool.

In Python chains of any length are built with `rave_flow.silk`. Here each operation takes the options of `rwfilter`,
``fail_destination`` among them, beside those of its tool, whose names, meanings and defaults are the function's own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rave_core import Operation, list_of, op
from rave_flow.errors import ParameterError
from rave_flow.model.roles import with_roles
from rave_flow.operations.windowed import ARROW
from rave_flow.silk import bags, records, resolving, scans, sets, tools
from rave_flow.silk.flows import CUT_FIELDS, Flows, noted
from rave_flow.sql.conditions import FLAG_BITS
from rave_flow.sql.dates import span_of
from rave_flow.sql.silk_fields import ADDED

if TYPE_CHECKING:
    import pyarrow

    from rave_core.expiry import Request

MOST_RECORDS = 10_000
"""The most flows in one answer: a browser is no place for millions."""

_PLAIN: dict[str, str] = {
    "protocol": "flow_protocols", "sport": "flow_ports", "dport": "flow_ports", "aport": "flow_ports",
    "icmp_type": "flow_octets", "icmp_code": "flow_octets", "ip_version": "flow_versions",
    "saddress": "flow_addresses", "daddress": "flow_addresses", "any_address": "flow_addresses",
    "sipset": "flow_set", "dipset": "flow_set", "anyset": "flow_set", "pmap_src": "flow_labels",
    "pmap_dst": "flow_labels", "pmap_any": "flow_labels", "scc": "flow_countries", "dcc": "flow_countries",
    "any_cc": "flow_countries", "bytes": "flow_sizes", "packets": "flow_ranges",
    "bytes_per_packet": "flow_decimals", "bytes_per_second": "flow_decimals", "packets_per_second": "flow_decimals",
    "duration": "flow_seconds", "stime": "flow_window", "etime": "flow_window", "active_time": "flow_window",
    "flags_all": "flow_flags", "flags_initial": "flow_flags", "flags_session": "flow_flags",
    **{f"{name}_flag": "flow_bit" for name in FLAG_BITS},
    "tuple_file": "flow_tuples", "type": "flow_types", "service": "flow_words", "state": "flow_words",
}  # fmt: skip
TYPES: dict[str, Any] = {
    **_PLAIN,
    **{f"not_{name}": given for name, given in _PLAIN.items()},
    "start_date": "flow_date", "end_date": "flow_date", "fail_destination": bool, "source": "flow_source",
}  # fmt: skip
"""The type of each option of `rwfilter`."""

_COMMON = {
    *("saddress", "daddress", "any_address", "sport", "dport", "protocol", "type", "start_date", "end_date", "source"),
}
_GROUPS = {
    "More conditions": [name for name in TYPES if not name.startswith("not_") and name not in _COMMON],
    "Conditions that must not hold": [name for name in TYPES if name.startswith("not_")],
}
"""What the form of a tool folds away."""
_DEFAULTS: dict[str, Any] = {**dict.fromkeys(TYPES), "fail_destination": False, "source": "default"}


def _cut(flows: Flows, *, fields: tuple[str, ...] = CUT_FIELDS, num_recs: int | None = None) -> pyarrow.Table:
    most = MOST_RECORDS if num_recs is None else num_recs
    if most > MOST_RECORDS:
        message = f"num_recs={num_recs}: expected at most {MOST_RECORDS}; narrow the filter"
        raise ParameterError(message, parameter="num_recs")
    table = tools.rwcut(flows, fields=fields, num_recs=most + 1)
    if table.num_rows <= most:
        return table
    cut = {} if num_recs else {"rave.flow.cut": f"the first {most} flows; more pass"}
    return table.slice(0, most).replace_schema_metadata({**(table.schema.metadata or {}), **cut})


def _sorted(
    flows: Flows, *, fields: tuple[str, ...], reverse: bool = False, num_recs: int | None = None
) -> pyarrow.Table:
    return _cut(tools.rwsort(flows, fields=fields, reverse=reverse), num_recs=num_recs)


def _addresses(flows: Flows, *, sip: bool = False, dip: bool = False) -> pyarrow.Table:
    import pyarrow

    found = pyarrow.array(tools.seen(flows, tools.ends_of(sip, dip)), pyarrow.string())
    return noted(pyarrow.table({"address": found}), flows)


def _deduped(
    flows: Flows,
    *,
    ignore_fields: Any = (),
    stime_delta: float | None = None,
    fields: tuple[str, ...] = CUT_FIELDS,
    num_recs: int | None = None,
) -> pyarrow.Table:
    unique = records.rwdedupe(flows, ignore_fields=ignore_fields, stime_delta=stime_delta)
    return _cut(unique, fields=fields, num_recs=num_recs)


def _bag(flows: Flows, *, key: str, counter: str = "records") -> pyarrow.Table:
    return noted(bags.rwbagcat(bags.rwbag(flows, key=key, counter=counter)), flows)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as an operation.

    Attributes:
        function: takes flows and, by keywords, its options.
        types: of each option.
        doc: what the operation gives.
    """

    function: Callable[..., Any]
    types: Mapping[str, Any]
    doc: str

    @property
    def options(self) -> list[inspect.Parameter]:
        """The options, with the function's defaults."""
        found = inspect.signature(self.function).parameters.values()
        return [option.replace(annotation=option.empty) for option in found if option.kind is option.KEYWORD_ONLY]


TOOLS: dict[str, Tool] = {
    "rwfilter": Tool(
        _cut,
        {"fields": "flow_fields", "num_recs": "flow_records"},
        "The flows that pass all options, the earliest first: a table of ``fields``, of at most 10,000 rows.",
    ),
    "rwsort": Tool(
        _sorted,
        {"fields": "flow_fields", "reverse": bool, "num_recs": "flow_records"},
        "The flows that pass all options, in the order of ``fields``: a table of at most 10,000 rows.",
    ),
    "rwset": Tool(
        _addresses,
        {"sip": bool, "dip": bool},
        "The distinct addresses of the sources, destinations or both of the flows that pass all options, in order.",
    ),
    "rwcount": Tool(
        tools.rwcount,
        {
            "bin_size": "flow_width", "load_scheme": "flow_scheme", "start_time": "flow_date", "end_time": "flow_date",
            "skip_zeroes": bool,
        },
        "Records, bytes and packets in bins of time, of the flows that pass all options.",
    ),
    "rwuniq": Tool(
        tools.rwuniq,
        {
            "fields": "flow_fields", "values": "flow_values", "threshold": "flow_threshold", "bin_time": "flow_width",
        },
        "Each combination of ``fields`` with its values, of the flows that pass all options.",
    ),
    "rwstats": Tool(
        tools.rwstats,
        {
            "fields": "flow_fields", "values": "flow_values", "count": "flow_number", "threshold": "flow_amount",
            "percentage": "flow_percentage", "bottom": bool, "bin_time": "flow_width",
        },
        "The combinations of ``fields`` with most of the first value, and their shares, of the flows that pass.",
    ),
    "rwtotal": Tool(
        tools.rwtotal,
        {"key": "flow_key"},
        "Records, bytes and packets by one key, of the flows that pass all options.",
    ),
    "rwdedupe": Tool(
        _deduped,
        {"ignore_fields": "flow_fields", "stime_delta": "flow_distance", "fields": "flow_fields",
         "num_recs": "flow_records"},
        "The flows that pass all options, without duplicates: a table of ``fields``, of at most 10,000 rows.",
    ),
    "rwgroup": Tool(
        records.rwgroup,
        {"id_fields": "flow_fields", "delta_field": str, "delta_value": "flow_distance", "rec_threshold": "flow_number",
         "summarize": bool, "fields": "flow_fields"},
        "The flows that pass all options with the number of their group, or a row for each group.",
    ),
    "rwaddrcount": Tool(
        records.rwaddrcount,
        {"use_dest": bool, **{f"{end}_{name}": "flow_amount" for end in ("min", "max") for name in ADDED}},
        "Bytes, packets, records and times of each source or destination, of the flows that pass all options.",
    ),
    "rwscan": Tool(
        scans.rwscan,
        {"trw_internal_set": "flow_set", "trw_theta0": "flow_probability", "trw_theta1": "flow_probability"},
        "The sources of TCP that scan, by SiLK's Threshold Random Walk, of the flows that pass all options.",
    ),
    "rwbag": Tool(
        _bag,
        {"key": str, "counter": str},
        "How many records, packets or bytes there are of each key, of the flows that pass all options.",
    ),
}  # fmt: skip


def settled(request: Request) -> float:
    """Five minutes while flows of the dates may still come in, five days once they ended three hours ago."""
    window = span_of(request.arguments["start_date"], request.arguments["end_date"])
    is_over = window.end is not None and window.end.timestamp() + 3 * 3600 < request.generated_at
    return request.generated_at + (5 * 86400 if is_over else 300)


def _operation(name: str) -> Operation[..., Any]:
    tool = TOOLS[name]
    kind = inspect.Parameter.KEYWORD_ONLY
    filtering = [inspect.Parameter(option, kind, default=default) for option, default in _DEFAULTS.items()]

    def run(**arguments: Any) -> Any:
        return answer(name, arguments)

    run.__signature__ = inspect.Signature([*tool.options, *filtering])  # type: ignore[attr-defined]  # inspect looks for it
    run.__doc__, run.__name__, run.__qualname__ = tool.doc, name, name
    types: dict[str, Any] = {**tool.types, **TYPES}
    takes = {"any_address": "address", "aport": "port"} if name == "rwfilter" else None
    decorate = op(name=f"flow/{name}", expires=settled, mime_type=ARROW, typemap=types, groups=_GROUPS, takes=takes)
    made: Operation[..., Any] = decorate(run)
    return made


def answer(name: str, arguments: dict[str, Any]) -> Any:
    """What a tool gives of the flows that pass.

    Raises:
        ParameterError: an argument is out of range, or contradicts another.
        FlowError: the source can't be read.
    """
    tool = TOOLS[name]
    given = {option.name: arguments.pop(option.name) for option in tool.options}
    return with_roles(tool.function(tools.rwfilter(**arguments), **given))


@op(
    name="flow/rwsettool",
    mime_type=ARROW,
    typemap={
        "sets": list_of("flow_addresses"), "operation": "flow_joining",
        "cidr_blocks": bool, "size": "flow_number", "seed": "flow_amount",
    },
)  # fmt: skip
def rwsettool(
    sets: Sequence[Any], operation: str = "union", cidr_blocks: bool = False, size: int | None = None, seed: int = 0
) -> pyarrow.Table:
    """The addresses, or with ``cidr_blocks`` the networks, of joined sets, or of a sample of ``size`` addresses."""
    return joined(sets, operation, cidr_blocks, size, seed)


@op(
    name="flow/rwresolve",
    mime_type=ARROW,
    expires="5m",
    typemap={"addresses": "flow_addresses", "timeout": "flow_distance"},
)
def rwresolve(addresses: Any, timeout: float = 5.0) -> pyarrow.Table:
    """The host names of at most 1000 addresses, if ``resolve = true`` is set: columns address, name and why."""
    return resolving.rwresolve(addresses, timeout=timeout)


def joined(given: Sequence[Any], operation: str, cidr_blocks: bool, size: int | None, seed: int) -> pyarrow.Table:
    """See `rave_flow.silk.rwsettool`."""
    wanted: dict[str, bool] = {operation: True}
    return sets.rwsetcat(sets.rwsettool(*given, size=size, seed=seed, **wanted), cidr_blocks=cidr_blocks)


__export__: dict[str, Operation[..., Any]] = {
    **{name: _operation(name) for name in TOOLS},
    "rwsettool": rwsettool,
    "rwresolve": rwresolve,
}
