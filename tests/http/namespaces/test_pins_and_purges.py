"""What looks at all operations at once."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import falcon.asgi
import pytest
from falcon.testing import TestClient

from rave_core import Runtime, Settings, using
from rave_core.runtime.version_finder import VersionFinder
from rave_http.resources.caches import Purge
from rave_http.resources.pins import Pins
from tests.http.namespaces.live_code import answer, live


class Everybody:
    """Whoever asks may do everything."""

    def may(self, *_: Any) -> bool:
        """They may."""
        return True

    def require(self, *_: Any, **__: Any) -> None:
        """They may."""

    def audit(self, *_: Any, **__: Any) -> None:
        """Nothing is written."""


async def forget(_prefix: str) -> None:
    """No other worker has anything."""


def test_pins_and_purges_of_all_look_at_no_code(tmp_path: Path, code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To find the versions of all operations takes seconds, and nobody else is served by the loop meanwhile."""
    everybody: Any = Everybody()
    others: Any = SimpleNamespace(forget=forget)
    with Runtime(Settings(cache=f"file://{tmp_path}/data")) as runtime, using(runtime):
        namespaces = live(local=code)
        answer(namespaces)
        app = falcon.asgi.App()
        app.add_route("/pins", Pins(namespaces, everybody, others, max_body=1000))
        app.add_route("/purge", Purge(runtime, namespaces, everybody, others, max_body=1000))
        client = TestClient(app)
        monkeypatch.setattr(VersionFinder, "find", lambda *_: pytest.fail("it looks at code"))
        namespaces.reload("local")
        pinned = client.simulate_post("/pins", json={"operation": "local/answer", "pinned": True})
        assert pinned.json == {"operation": "local/answer", "pinned": True}
        assert client.simulate_get("/pins").json == {"pins": ["local/answer"]}
        purged = client.simulate_post("/purge", json={"older_than": "0s"})
        assert (purged.status_code, purged.json["removed"]) == (200, 1)
