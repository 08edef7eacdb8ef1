"""The executors that come with the service, by the names that the setting ``executor`` knows."""

from __future__ import annotations

from rave_http.executors.executor import Executor, ExecutorContext, ExecutorFactory
from rave_http.executors.threads import ThreadExecutor


def threads(context: ExecutorContext) -> Executor:
    """Threads of this process, as many as the setting ``threads`` says."""
    return ThreadExecutor(context.service.threads)


def processes(context: ExecutorContext) -> Executor:
    """Child processes, as many as the setting ``processes`` says. Each starts when it is first needed."""
    from rave_http.executors.processes import ProcessExecutor  # only here: most services have no use for it

    return ProcessExecutor(context.service.processes, context.settings, context.directories)


BUILTIN: dict[str, ExecutorFactory] = {"threads": threads, "processes": processes}
"""The executors that come with the service, by name."""
