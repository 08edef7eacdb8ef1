"""What the columns of tables are, for pages: an address leads to `rwfilter`, bytes are written in units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pyarrow

_ROLES: Final = {
    **dict.fromkeys(("sip", "dip", "src", "dst", "address", "host", "server", "client"), "address"),
    **dict.fromkeys(("sport", "dport", "src_port", "dst_port", "port"), "port"),
    **dict.fromkeys(("packets", "flows", "records"), "count"),
    "bytes": "bytes",
    "share": "share",
    "ts": "time",
    "stime": "time",
    "etime": "time",
}


def with_roles(table: pyarrow.Table) -> pyarrow.Table:
    """The table, whose schema says what its columns are, by their names."""
    for at, field in enumerate(table.schema):
        role = _ROLES.get(field.name)
        if role is not None:
            said = {**(field.metadata or {}), b"rave.role": role.encode()}
            table = table.set_column(at, field.with_metadata(said), table.column(at))
    return table
