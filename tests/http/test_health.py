"""What ``/-/readyz`` says of the document store, which must never keep it from answering."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from rave_http.resources import health


class SilentStore:
    """A store that does not answer until it is let go."""

    def __init__(self) -> None:
        self.lets_go = threading.Event()
        self.asked = 0

    @property
    def documents(self) -> SilentStore:
        """As a runtime has it."""
        return self

    def sequence(self) -> int:
        """The number of the latest commit, late."""
        self.asked += 1
        self.lets_go.wait(10)
        return 1


def test_a_store_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often somebody looks; once it answers, all is well."""
    monkeypatch.setattr(health, "_PATIENCE", 0.01)
    store: Any = SilentStore()

    async def look() -> None:
        check = health._DocumentsCheck(store)
        assert [await check.state() for _ in range(3)] == ["no answer for 0.01 s"] * 3
        assert store.asked == 1
        store.lets_go.set()
        while await check.state() != "ok":
            await asyncio.sleep(0)

    asyncio.run(look())
