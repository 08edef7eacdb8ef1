"""Places of an executor: turns, shares, and waits that are given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from rave_http.jobs.places import Places


class Crowd:
    """Tasks that take a place and keep it until they may go on."""

    def __init__(self, places: Places) -> None:
        self.began: list[str] = []
        self._places = places
        self._go_on: dict[str, asyncio.Event] = {}

    def add(self, *names: str) -> list[asyncio.Task[None]]:
        """Starts tasks; the first letter of each name is its client."""
        return [asyncio.create_task(self._take(name)) for name in names]

    async def end(self, name: str) -> None:
        """Lets a task leave its place, and others take it."""
        self._go_on[name].set()
        await settle()

    async def _take(self, name: str) -> None:
        go_on = self._go_on[name] = asyncio.Event()
        async with self._places.take(name[0]):
            self.began.append(name)
            await go_on.wait()


async def settle() -> None:
    """Lets all tasks run until they wait."""
    for _ in range(10):
        await asyncio.sleep(0)


def run(slots: int, most_of_one: int, scenario: Callable[[Crowd], Awaitable[None]]) -> list[str]:
    """The names of those that got a place, in order."""

    async def play() -> list[str]:
        crowd = Crowd(Places(slots, most_of_one=most_of_one))
        await scenario(crowd)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        return crowd.began

    return asyncio.run(play())


def test_clients_take_turns() -> None:
    """However many one has queued before the other came."""

    async def scenario(crowd: Crowd) -> None:
        crowd.add("a1", "a2", "a3", "b1", "b2")
        await settle()
        for name in ("a1", "b1", "a2", "b2"):
            await crowd.end(name)

    assert run(1, 1, scenario) == ["a1", "b1", "a2", "b2", "a3"]


def test_one_client_leaves_a_place_to_others() -> None:
    """It gets no more than its share, though places are free; the next one needs no wait."""

    async def scenario(crowd: Crowd) -> None:
        crowd.add("a1", "a2", "a3", "a4")
        await settle()
        assert crowd.began == ["a1", "a2", "a3"]
        crowd.add("b1")
        await settle()
        await crowd.end("a2")

    assert run(4, 3, scenario) == ["a1", "a2", "a3", "b1", "a4"]


def test_a_wait_that_is_given_up_holds_no_place() -> None:
    """Neither in the queue, nor in the very moment in which its turn has come."""

    async def scenario(crowd: Crowd) -> None:
        crowd.add("a1")
        await settle()
        queued, ready = crowd.add("a2", "a3")
        await settle()
        queued.cancel()
        await settle()
        crowd._go_on["a1"].set()
        while not crowd._places._free and crowd.began == ["a1"]:
            ready.cancel()
            await asyncio.sleep(0)
        crowd.add("b1")
        await settle()

    assert run(1, 1, scenario) == ["a1", "b1"]
