"""The contract of document stores among processes that are killed and race each other, and servers that restart.

    class TestMyDocumentsAmongProcesses(DocumentProcessContract):
        opening = "from my_package import open_store"

        @pytest.fixture
        def place(self, tmp_path):
            return f"mine://{tmp_path}/documents"

Stores are opened in processes of their own, so this contract takes source in place of a method.
"""

from __future__ import annotations

import json
import subprocess
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import pytest

from rave_core.documents import Change, open_store

_SECONDS = 110
_PATIENCE = 30.0


class DocumentProcessContract(ABC):
    """What holds for documents whatever happens to processes: subclass it, and say where the store is."""

    opening: ClassVar[str] = "from rave_core.documents import open_store"
    """Source that defines ``open_store(place)``."""

    processes: ClassVar[int] = 16
    """How many save the same version at once."""

    kills: ClassVar[int] = 24
    """The maximum number of lines of a save to kill at: chosen evenly, including the first and the last."""

    @pytest.fixture
    @abstractmethod
    def place(self, tmp_path: Path) -> str:
        """The URL of a store that is new for each test."""

    def restart(self) -> None:  # noqa: B027  # a file has no server
        """Ends the server abruptly and starts it again, if the store has one."""

    def play(self, name: str, place: str, **arguments: Any) -> Any:
        """The result of a scenario with stores over ``place``."""
        asked = {"play": name, "opening": self.opening, "place": place, "arguments": arguments}
        done = subprocess.run(
            [sys.executable, "-m", "rave_core.testing.document_scenarios"],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def test_one_of_many_processes_wins_each_round(self, place: str) -> None:
        """In each of ten rounds exactly one; no version and no commit is missing."""
        found = self.play("race", place, processes=self.processes, rounds=10)
        versions = list(range(10, 0, -1))
        assert found == {"winners": [1] * 10, "versions": versions, "changes": 10, "problems": []}

    @pytest.mark.parametrize("act", ["save", "delete", "replace"])
    def test_a_killed_save_is_whole_or_absent(self, place: str, act: str) -> None:
        """Before each line of the store's code; the next process goes on."""
        found = self.play("kills", place, act=act, most=self.kills)
        assert found["wrong"] == {}
        assert found["killed"] > 5, "no process was killed, or no line of the store's package was run"
        assert 0 < found["absent"] < found["killed"], "no kill came before the commit, or none after it"

    def test_a_restarted_server_costs_nothing(self, place: str) -> None:
        """An open store goes on saving and reading, and a watch misses nothing."""
        heard: list[Change] = []
        with open_store(place) as store, open_store(place) as other, store.watch(0, heard.append) as watch:
            for version in range(9):
                if version in (3, 6):
                    self.restart()
                (store if version % 2 else other).save("c", "k", b"%d" % version, expect=version, author="ada")
            assert watch.reach(store.sequence(), _PATIENCE)
            assert heard == list(store.changes(0))
            assert [each.version for each in store.history("c", "k")] == list(range(9, 0, -1))
