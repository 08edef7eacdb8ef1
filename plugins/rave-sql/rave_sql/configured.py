"""The namespace ``sql``: the queries of the directory ``[plugins.sql] directory``, and the databases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rave_core import nocache, op
from rave_core.errors import RaveError
from rave_sql.operations import opened, queries
from rave_sql.settings import sql_settings, url_of

if TYPE_CHECKING:
    import pyarrow


@op(name="sql/databases", version=1, expires=nocache, mime_type="application/vnd.apache.arrow.stream")
def databases() -> pyarrow.Table:
    """The databases that are configured: name, kind, and what is wrong with each, null where nothing is."""
    import pyarrow

    rows = [_look_at(name) for name in sql_settings().urls]
    schema = pyarrow.schema([(name, pyarrow.string()) for name in ("name", "kind", "problem")])
    return pyarrow.Table.from_pylist(rows, schema)


def _look_at(name: str) -> dict[str, str | None]:
    try:
        database = opened(name, url_of(name))
    except RaveError as error:
        return {"name": name, "kind": None, "problem": str(error)}
    try:
        database.read("SELECT 1", {}, most=1, seconds=10)
    except RaveError as error:
        return {"name": name, "kind": database.dialect, "problem": str(error)}
    return {"name": name, "kind": database.dialect, "problem": None}


def exports() -> dict[str, Any]:
    """What the namespace exports."""
    directory = sql_settings().directory
    if not directory:
        return {"databases": databases}
    return {**queries(Path(directory).expanduser(), namespace="sql"), "databases": databases}


__export__ = exports()
