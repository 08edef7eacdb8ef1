"""Operations that the tests of introspection share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rave_core import Operation, op


def scaled(version: int = 1, **keywords: Any) -> Operation[..., Any]:
    """An operation as it is at a version."""

    def scale(value: float, by: float = 2.0, note: str = "") -> float:
        """A value, scaled."""
        return value * by

    return op(name="test/scale", version=version, **keywords)(scale)


def files(tmp_path: Path, suffix: str) -> list[Path]:
    """The files with a suffix in a store, but for its own."""
    return [path for path in tmp_path.rglob(f"*{suffix}") if ".rave/" not in str(path) and path.is_file()]
