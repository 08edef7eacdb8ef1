"""What this package adds to RAVE: the pool ``dask``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rave_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from rave_core import Pool, Settings
    from rave_core.registry import Registry


@hookimpl
def rave_register_pools(registry: Registry[Callable[[Settings], object]]) -> None:
    """Adds ``dask``."""
    registry.add("dask", open_pool, origin=__name__)


def open_pool(settings: Settings) -> Pool:
    """The pool for the cluster that ``[plugins.dask]`` names; it connects in the background."""
    from rave_dask.pool import DaskPool

    return DaskPool(settings)
