"""An operation that refuses the request has not failed."""

from __future__ import annotations

import copy
import logging
import pickle
import threading
from typing import Any

import pytest

from rave_core import OperationError, Runtime, Settings, op, using
from rave_core.errors import ArgumentError, ConfigurationError, is_refusal
from rave_core.testing import FakeClock

_STATE = {"is_refusing": False}  # not captured, so that it is no part of a key


@pytest.fixture
def runtime() -> Any:
    """Memory alone."""
    with using(Runtime(Settings(cache=["memory://"]))) as runtime:
        yield runtime


def test_a_refusal_keeps_its_status_and_errors_through_pickle() -> None:
    """A child process hands it over whole."""
    error = OperationError("no such day", status=404, errors=[{"parameter": "day", "detail": "unknown"}])
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (str(again), again.status, again.errors) == (str(error), 404, error.errors)


@pytest.mark.parametrize("status", [200, 399, 500, 503])
def test_a_refusal_is_a_mistake_of_the_client(status: int) -> None:
    """A status that says anything else is refused when the error is made."""
    with pytest.raises(ConfigurationError, match="from 400 to 499"):
        OperationError("no", status=status)


@pytest.mark.parametrize("kind", [OperationError, ArgumentError])
def test_a_refusal_is_not_counted_as_an_error(runtime: Any, kind: type[Exception]) -> None:
    """It reaches the caller unchanged, and the statistics count no error; a failure is counted."""

    record = runtime.statistics.record(f"refusals:{kind.__name__}")

    @op(name=f"refusals:{kind.__name__}")
    def refuse(n: int) -> int:
        raise kind("never") if n else RuntimeError("broken")

    with pytest.raises(kind, match="never") as caught:
        refuse(1)
    assert is_refusal(caught.value)
    assert record["Errors"] == 0
    with pytest.raises(RuntimeError):
        refuse(0)
    assert record["Errors"] == 1


def test_no_stale_result_takes_the_place_of_a_refusal(runtime: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """``stale_if_error`` is for failures: a refusal says that there is no such result."""

    @op(name="refusals:late", stale_if_error=60, version="1")
    def answer() -> int:
        if _STATE["is_refusing"]:
            raise OperationError("not any more")
        return 1

    assert answer() == 1
    monkeypatch.setitem(_STATE, "is_refusing", True)
    with pytest.raises(OperationError):
        answer(rave_refresh=True)


def test_a_refusal_behind_the_caller_is_no_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is refreshed in the background and refused is told at INFO."""
    clock = FakeClock()
    with using(Runtime(Settings(cache=["memory://"]), clock=clock)), caplog.at_level(logging.INFO, "rave"):

        @op(name="refusals:behind", stale_while_revalidate=600, expires="1s", version="1")
        def answer() -> int:
            if _STATE["is_refusing"]:
                raise OperationError("not any more")
            return 1

        assert answer() == 1
        monkeypatch.setitem(_STATE, "is_refusing", True)
        clock.advance(2)
        assert answer() == 1
        for _ in range(200):
            if caplog.records:
                break
            threading.Event().wait(0.01)
    assert [record.levelname for record in caplog.records] == ["INFO"]
