"""The contracts of document stores, for SQLite and PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rave_core.testing import DocumentContract


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
