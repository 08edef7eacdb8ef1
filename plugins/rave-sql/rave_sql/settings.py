"""The table ``[plugins.sql]``: where queries are, and which databases there are."""

# ruff: noqa: RUF009  # a Setting is a descriptor, made to be shared as the default of its field
from __future__ import annotations

import os
import re
from dataclasses import dataclass

from rave_core import current_runtime
from rave_core.errors import ConfigurationError
from rave_core.settings import PluginSettings, Table, Text
from rave_sql.errors import DatabaseError

DEFAULT = "default"
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, kw_only=True)
class SqlSettings(PluginSettings):
    """The checked content of ``[plugins.sql]``.

    Attributes:
        directory: where the queries of the namespace ``sql`` are; empty for none.
        database: the URL of the database ``default``; empty for none.
        databases: the URLs of others, by name.

    Raises:
        ConfigurationError: a value is wrong; the message says what would be right.
    """

    plugin = "sql"
    directory: Text = Text("")
    database: Text = Text("")
    databases: Table = Table(dict)

    def check(self, origin: str) -> None:
        """Returns if every database has a URL."""
        for name, url in self.databases.items():
            if not isinstance(url, str) or not url:
                raise ConfigurationError(
                    f"{origin}: databases.{name} is not a URL: write a text such as 'sqlite:////srv/a.db'"
                )

    @property
    def urls(self) -> dict[str, str]:
        """The URL of each database, ``default`` first."""
        default = {DEFAULT: self.database} if self.database else {}
        return default | {name: str(url) for name, url in self.databases.items()}


def sql_settings() -> SqlSettings:
    """The settings of the current runtime.

    Raises:
        ConfigurationError: one is unknown or wrong.
    """
    return SqlSettings.of(current_runtime().settings)


def url_of(name: str) -> str:
    """The URL of a database, with the environment's values for ``${NAME}``.

    Args:
        name: ``default``, which is the key ``database``, or one of the table ``databases``.

    Raises:
        ConfigurationError: a setting is unknown or wrong.
        DatabaseError: there is no database of that name, or a variable is not set.
    """
    urls = sql_settings().urls
    if name not in urls:
        known = f"known: {', '.join(urls)}" if urls else 'none is; set database = "…" there'
        raise DatabaseError(f"no database is called {name!r} in [plugins.sql]; {known}")

    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise DatabaseError(f"the URL of the database {name!r} names the variable {match[1]}, which is not set")
        return os.environ[match[1]]

    return _VARIABLE.sub(value, urls[name])
