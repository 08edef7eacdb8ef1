"""Stand-ins of what xarray holds. Its source and the settings for writing do not count."""

from __future__ import annotations

from typing import Any

from rave_core.fingerprint.parts import Parts


def variable_parts(variable: Any) -> Parts:
    """Dimensions, attributes and items."""
    yield ".dims", variable.dims
    yield ".attrs", dict(variable.attrs)
    yield "", variable.data


def array_parts(array: Any) -> Parts:
    """Name, items with their dimensions and attributes, and coordinates."""
    yield ".name", array.name
    yield "", array.variable
    yield ".coords", {name: coordinate.variable for name, coordinate in array.coords.items()}
    yield ".xindexes", _kinds(array)


def dataset_parts(dataset: Any) -> Parts:
    """Variables, which of them are coordinates, and attributes."""
    yield ".variables", dict(dataset.variables)
    yield ".coords", set(dataset.coords)
    yield ".attrs", dict(dataset.attrs)
    yield ".xindexes", _kinds(dataset)


def _kinds(value: Any) -> dict[Any, str]:
    return {name: type(index).__name__ for name, index in value.xindexes.items()}
