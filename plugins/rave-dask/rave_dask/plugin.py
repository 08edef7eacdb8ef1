"""What this package adds to RAVE: the pool ``dask``, and its settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rave_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from rave_core import Pool
    from rave_core.registry import Registry
    from rave_core.settings import Settings


@hookimpl
def rave_register_pools(registry: Registry[Callable[[Settings], object]]) -> None:
    """Adds ``dask``."""
    registry.add("dask", open_pool, origin=__name__)


def open_pool(settings: Settings) -> Pool:
    """The pool for the cluster that ``[plugins.dask]`` names; it connects in the background."""
    from rave_dask.pool import DaskPool

    return DaskPool(settings)


@hookimpl
def rave_check_settings(settings: Settings) -> None:
    """Checks ``[plugins.dask]``, if there is one: nobody needs a cluster just because this is installed."""
    from rave_dask.settings import DaskSettings

    if settings.plugins.get(DaskSettings.plugin):
        DaskSettings.of(settings)
