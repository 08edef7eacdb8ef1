"""The contracts of document stores, for SQLite and PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rave_core.testing import DocumentContract, DocumentProcessContract


class TestSqlite(DocumentContract):
    """A file."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> str:
        """In the test's directory."""
        return f"sqlite:///{tmp_path}/documents.sqlite"


class TestPostgresql(DocumentContract):
    """A database of a real server."""

    @pytest.fixture
    def place(self, postgresql: Any) -> str:
        """A new database."""
        return str(postgresql.new_database())


class TestSqliteAmongProcesses(DocumentProcessContract):
    """A file, which has no server."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> str:
        """In the test's directory."""
        return f"sqlite:///{tmp_path}/documents.sqlite"


class TestPostgresqlAmongProcesses(DocumentProcessContract):
    """A database of a server that is ended and started."""

    @pytest.fixture(autouse=True)
    def _server(self, postgresql_to_restart: Any) -> None:
        self.server = postgresql_to_restart

    @pytest.fixture
    def place(self, postgresql_to_restart: Any) -> str:
        """A new database."""
        return str(postgresql_to_restart.new_database())

    def restart(self) -> None:
        """Ends all connections without a word."""
        self.server.stop()
        self.server.start()
