"""What the tests of downloads fetch and look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.http.stub_service import StubService

BODY = bytes(range(256)) * 1000


def ranges_of(stub: StubService) -> list[str | None]:
    """The ranges that were asked for, one for each request; ``None`` for the whole."""
    return [seen.headers.get("Range") for seen in stub.seen]


def names_in(directory: Path) -> list[str]:
    """The names of the files in a directory, sorted."""
    return sorted(path.name for path in directory.iterdir())
