"""What is served when computing fails, and what is told to whoever may look deeper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Service = Any  # RunningService of the conftest

SHAKY = '''

@op(stale_if_error=60)
@typemap(str)
@expires(duration_strategy(1))
@mime_type("text/plain")
def shaky(name: str) -> str:
    """Works until somebody breaks it."""
    if (LOG.parent / "broken").exists():
        raise OSError("the database is down")
    return f"{name} works"


__export__["shaky"] = shaky
'''


def test_a_stale_result_is_served_where_computing_fails(
    start_service: Callable[..., Service], wait_until: Callable[..., Any]
) -> None:
    """``stale_if_error`` is honoured by our own engine, and told to caches in front."""
    service = start_service(more=SHAKY, workers=1)
    first = service.get("/lab/shaky?name=it")
    assert first.headers["Cache-Control"].endswith("stale-if-error=60")
    (service.place / "broken").touch()

    def stale() -> Any:
        answer = service.get("/lab/shaky?name=it")
        assert (answer.status_code, answer.text) == (200, "it works")
        return "ttl=-" in answer.headers["Cache-Status"]

    wait_until(stale, what="its end")
    assert service.get("/lab/shaky?name=other").status_code == 500


def test_a_traceback_is_for_those_who_may_debug(start_service: Callable[..., Service]) -> None:
    """With the permission a problem shows where the operation failed, without it never."""
    service = start_service(workers=1, anonymous=["view", "run", "debug"])
    assert "in fails" in service.get("/lab/fails?message=deep").json()["traceback"]
    page = service.get("/lab/fails?message=deep", headers={"Accept": "text/html"})
    assert "in fails" in page.text
