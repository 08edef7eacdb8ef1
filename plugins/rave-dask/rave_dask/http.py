"""What this package adds to the service: the executor ``dask``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rave_http.hookspecs import hookimpl

if TYPE_CHECKING:
    from rave_core.registry import Registry
    from rave_http.executors import Executor, ExecutorContext, ExecutorFactory


@hookimpl
def rave_register_executors(registry: Registry[ExecutorFactory]) -> None:
    """Adds ``dask``."""
    registry.add("dask", open_dask, origin=__name__)


def open_dask(context: ExecutorContext) -> Executor:
    """The executor for the cluster that ``[plugins.dask]`` names; it connects in the background."""
    from rave_dask.executor import DaskExecutor

    return DaskExecutor(context)
