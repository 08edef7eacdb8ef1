"""The table ``[plugins.sql]``: where queries are, and which databases there are."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from rave_core.errors import ConfigurationError, nearest
from rave_sql.errors import DatabaseError

DEFAULT = "default"
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_KNOWN = ("directory", "database", "databases")


def table() -> Mapping[str, Any]:
    """The settings of this plugin.

    Raises:
        ConfigurationError: an unknown key, or one of the wrong type.
    """
    from rave_core import current_runtime

    found: Mapping[str, Any] = current_runtime().settings.plugins.get("sql", {})
    for name, value in found.items():
        if name not in _KNOWN:
            raise ConfigurationError(f"[plugins.sql]: unknown key {name!r}; {nearest(name, _KNOWN)}")
        if not isinstance(value, dict if name == "databases" else str):
            what = "a table from names to URLs" if name == "databases" else "a text"
            raise ConfigurationError(f"[plugins.sql]: {name} = {value!r}: expected {what}")
    return found


def url_of(name: str) -> str:
    """The URL of a database, with the environment's values for ``${NAME}``.

    Args:
        name: ``default``, which is the key ``database``, or one of the table ``databases``.

    Raises:
        DatabaseError: there is no database of that name, or a variable is not set.
    """
    found = table()
    urls = {DEFAULT: found["database"]} if "database" in found else {}
    urls |= found.get("databases", {})
    if name not in urls:
        known = f"known: {', '.join(urls)}" if urls else 'none is; set database = "…" there'
        raise DatabaseError(f"no database is called {name!r} in [plugins.sql]; {known}")

    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise DatabaseError(f"the URL of the database {name!r} names the variable {match[1]}, which is not set")
        return os.environ[match[1]]

    return _VARIABLE.sub(value, str(urls[name]))
