"""Executors: where the bodies of operations run, so that the event loop never does."""

from rave_core.engine.context import ExecutionContext
from rave_core.engine.effects import RunBody
from rave_http.executors.executor import (
    SPARE,
    BusyError,
    Executor,
    ExecutorContext,
    ExecutorFactory,
    ExecutorFigures,
    Result,
    UnfitWorkerError,
    WorkerLostError,
)

__all__ = [
    "SPARE",
    "BusyError",
    "ExecutionContext",
    "Executor",
    "ExecutorContext",
    "ExecutorFactory",
    "ExecutorFigures",
    "Result",
    "RunBody",
    "UnfitWorkerError",
    "WorkerLostError",
]
