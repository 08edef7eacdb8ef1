"""What the tests here share."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from rave_core import Runtime, using
from rave_http.executors.processes import ProcessExecutor
from tests.http.executors.process_bodies import BODIES, Ask, ask, children


@pytest.fixture(scope="module")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A module of operations that another process can import."""
    place = tmp_path_factory.mktemp("modules")
    (place / "process_bodies.py").write_text(BODIES)
    sys.path.insert(0, str(place))
    yield importlib.import_module("process_bodies")
    sys.path.remove(str(place))
    del sys.modules["process_bodies"]


@pytest.fixture
def play(make_runtime: Callable[..., Runtime]) -> Callable[..., Any]:
    """Plays a scenario with an executor and a way to ask for operations by it; no child outlives it."""

    def begin(
        scenario: Callable[[ProcessExecutor, Ask], Awaitable[Any]],
        slots: int = 2,
        directories: dict[str, str] | None = None,
    ) -> Any:
        runtime = make_runtime()

        async def run() -> Any:
            executor = ProcessExecutor(slots, runtime.settings, directories or {})
            try:
                return await scenario(executor, partial(ask, runtime, executor))
            finally:
                await executor.close(0)
                assert children() == []

        with using(runtime):
            return asyncio.run(run())

    return begin
