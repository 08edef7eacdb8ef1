"""What the tests of `rave serve` share."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

INSTALLED = len(entry_points(group="rave.namespaces"))
"""Namespaces that are there beside those of the tests."""


def said(process: Any) -> str:
    """What a process said on standard error until it ended."""
    _, told = process.communicate(timeout=30)
    return str(told)
