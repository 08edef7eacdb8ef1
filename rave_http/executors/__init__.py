"""Executors: where the bodies of operations run, so that the event loop never does."""

from rave_http.executors.builtin import BUILTIN
from rave_http.executors.choice import Executors
from rave_http.executors.executor import (
    BusyError,
    Executor,
    ExecutorContext,
    ExecutorFactory,
    WorkerLostError,
)

__all__ = [
    "BUILTIN",
    "BusyError",
    "Executor",
    "ExecutorContext",
    "ExecutorFactory",
    "Executors",
    "WorkerLostError",
]
