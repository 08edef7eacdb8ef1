"""A journal lists which directories are namespaces: served by all workers, and changed by few."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rave_core import Settings
from rave_core.errors import ConfigurationError
from rave_http.settings import ServiceSettings

PLACES = "/-/journal:places"
ADA = {"X-Remote-User": "ada"}
TOOLS = """\
from rave_core import op, typemap


@op
@typemap(int)
def twice(n: int) -> int:
    return {}


__export__ = {{"twice": twice}}
"""


def place(root: Path, name: str, body: str) -> Path:
    """A directory that can be a namespace."""
    (root / name).mkdir(exist_ok=True)
    (root / name / "__init__.py").write_text(TOOLS.format(body))
    return root / name


def test_commits_place_move_and_end_namespaces(service: Any, wait_until: Callable[..., Any]) -> None:
    """Each worker follows, and loads again what changes; a document that can't be served changes nothing."""
    place(service.place, "tools-1", "2 * n")
    other = place(service.place, "tools-2", "n + n + 0")
    assert service.get("/tools/twice?n=4").status_code == 404

    def everywhere(status: int, text: str = "") -> bool:
        found = [service.get("/tools/twice?n=4") for _ in range(8)]
        return all(each.status_code == status and text in each.text for each in found)

    assert service.commit(f"{PLACES}/tools/1", b"tools-1\n", **ADA).status_code == 200
    wait_until(lambda: everywhere(200, "8"), what="the namespace")
    for version, wrong in enumerate((b"../elsewhere", b"/etc", b"\xff", b"absent", b"lab/../.."), start=2):
        assert service.commit(f"{PLACES}/tools/{version}", wrong, **ADA).status_code == 200
    wait_until(lambda: "version 6 of 'tools' changes nothing" in service.log, what="the refusal")
    assert everywhere(200, "8")
    degraded = lambda: [service.get("/-/readyz").json()["degraded"] for _ in range(8)]  # noqa: E731  # asked for again
    wait_until(lambda: all("namespace tools" in each for each in degraded()), what="the report of all workers")
    service.commit(f"{PLACES}/tools/7", b"tools-2", **ADA)
    origins = lambda: [each["origin"] for each in service.get("/-/namespaces").json()["namespaces"]]  # noqa: E731  # asked for again
    wait_until(lambda: all(str(other) in origins() for _ in range(8)), what="the other directory")
    wait_until(lambda: not any("namespace tools" in each for each in degraded()), what="the end of the report")
    place(service.place, "tools-2", "2 * n + 1")
    wait_until(lambda: everywhere(200, "9"), what="the change of the code")
    service.commit(f"{PLACES}/tools/8", b"", **ADA, **{"X-Rainer-Empty": "yes"})
    wait_until(lambda: everywhere(404), what="the end")
    assert service.get("/lab/square?n=3").text == "9"


def test_few_may_say_what_code_runs(service: Any) -> None:
    """Nobody without a name, and only with the permission to reload; everybody who may view it can read."""
    refused = service.commit(f"{PLACES}/mine/1", b"tools-1")
    assert (refused.status_code, "sign in" in refused.text) == (403, True)
    assert service.commit(f"{PLACES}/mine/1", b"tools-1", **{"X-Remote-User": "bob"}).status_code == 403
    assert service.commit(f"{PLACES}/mine/1", b"tools-1", **{"X-Remote-User": "carl"}).status_code == 403
    assert service.get(f"{PLACES}/mine").status_code == 404
    assert "refused: 'commit' '/-/journal:places/mine/1'" in service.log


def test_a_list_needs_a_root() -> None:
    """Else documents could name any directory."""
    with pytest.raises(ConfigurationError, match="set namespace_root"):
        ServiceSettings.of(Settings(service={"namespaces": "journal:places"}))


def test_a_name_of_the_settings_stays(service: Any, wait_until: Callable[..., Any]) -> None:
    """A document can't put other code in its place."""
    place(service.place, "tools-3", "0")
    service.commit(f"{PLACES}/lab/1", b"tools-3", **ADA)
    wait_until(lambda: "version 1 of 'lab' changes nothing" in service.log, what="the refusal")
    assert service.get("/lab/square?n=3").text == "9"
