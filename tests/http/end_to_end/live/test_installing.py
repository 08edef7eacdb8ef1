"""A namespace that is installed while the service runs is there after HUP."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

Service = Any  # RunningService of the conftest

CODE = '''\
from rave_core import mime_type, op, typemap


@op
@typemap(str)
@mime_type("text/plain")
def greet(name: str) -> str:
    """A greeting."""
    return f"Welcome, {name}"


__export__ = {"greet": greet}
'''


def install(site: Path) -> None:
    """What pip leaves behind when it installs a package with a namespace."""
    (site / "latecomer.py").write_text(CODE)
    facts = site / "latecomer-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: latecomer\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[rave.namespaces]\nlate = latecomer\n")


def test_hup_shows_what_was_installed_meanwhile(
    start_service: Callable[..., Service], tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """No restart is needed; before the HUP the namespace is unknown."""
    site = tmp_path / "site"
    site.mkdir()
    service = start_service(environ={"PYTHONPATH": str(site)})
    assert service.get("/late/greet?name=Ada").status_code == 404
    install(site)
    service.process.send_signal(signal.SIGHUP)
    answer = wait_until(lambda: (a := service.get("/late/greet?name=Ada")).status_code == 200 and a)
    assert answer.text == "Welcome, Ada"
    wait_until(lambda: "late/greet" in {each["name"] for each in service.get("/-/ops").json()["operations"]})
