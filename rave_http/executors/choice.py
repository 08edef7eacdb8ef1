"""Which executor runs which operation, and for how long: as the settings say, for each operation or for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from rave_core.errors import ConfigurationError, UnknownNameError, describe_error
from rave_core.registry import Registry
from rave_http.executors.executor import Executor, ExecutorContext, ExecutorFactory, ExecutorFigures


class Executors:
    """The executors that one worker uses. For its event loop alone."""

    def __init__(self, registry: Registry[ExecutorFactory], context: ExecutorContext) -> None:
        """Makes those that the settings name.

        Raises:
            ConfigurationError: there is no executor of that name.
        """
        self._service = context.service
        own = {str(each["executor"]) for each in self._service.operations.values() if "executor" in each}
        names = sorted({self._service.executor, *own})
        self._executors: Mapping[str, Executor] = {name: _find(registry, name)(context) for name in names}
        self._chosen: dict[str, tuple[Executor, float | None]] = {}

    def choose(self, operation: str) -> tuple[Executor, float | None]:
        """The executor of ``namespace/operation``, and the seconds that it may take, ``None`` for no limit."""
        chosen = self._chosen.get(operation)
        if chosen is None:
            name = self._service.operations.get(operation, {}).get("executor", self._service.executor)
            chosen = self._executors[str(name)], self._service.limit_of(operation)
            self._chosen[operation] = chosen
        return chosen

    def renew(self) -> None:
        """Announces a change of code: runs that start from now on use the new code."""
        for executor in self._executors.values():
            executor.renew()

    def problems(self) -> dict[str, str]:
        """What keeps the bodies of each executor from running, or ``ok``; by ``executor NAME``."""
        return {f"executor {name}": _problem(executor) for name, executor in self._executors.items()}

    def figures(self) -> dict[str, dict[str, int]]:
        """The `ExecutorFigures` of those executors that have any, as dicts, by name."""
        found = {name: _figures(executor) for name, executor in self._executors.items()}
        return {name: asdict(figures) for name, figures in found.items() if figures is not None}

    async def close(self, grace: float) -> None:
        """Closes all of them; running bodies get ``grace`` seconds."""
        for executor in self._executors.values():
            await executor.close(grace)


def _problem(executor: Executor) -> str:
    try:
        return executor.check() or "ok"
    except Exception as error:  # noqa: BLE001  # a plugin's executor may raise anything
        return describe_error(error)


def _figures(executor: Executor) -> ExecutorFigures | None:
    try:
        return executor.figures()
    except Exception:  # noqa: BLE001  # as above; figures are worth no failure
        return None


def _find(registry: Registry[ExecutorFactory], name: str) -> ExecutorFactory:
    try:
        return registry.find(name)
    except UnknownNameError as error:
        raise ConfigurationError(f"[service] executor: {error}") from error
