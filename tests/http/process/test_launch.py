"""What a start takes from where it is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from rave_core.errors import ConfigurationError
from rave_http.process.launch import here


def test_a_start_from_a_directory_that_was_removed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service can't run there, and is told so in words."""
    (tmp_path / "removed").mkdir()
    monkeypatch.chdir(tmp_path / "removed")
    assert here() == str(tmp_path / "removed")
    (tmp_path / "removed").rmdir()
    with pytest.raises(ConfigurationError, match="working directory was removed; change to one that exists"):
        here()
