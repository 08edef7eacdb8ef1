"""rwresolve: off by default, bounded in time, for requested addresses only."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rave_flow.errors import ParameterError, ResolvingOffError
from rave_flow.model.host_names import LOOKUPS, names_of
from rave_flow.operations.silk import __export__ as served
from rave_flow.silk import rwresolve

from rave_core import OperationError, Runtime, Settings, using


@contextmanager
def allowed(tmp_path: Path) -> Iterator[None]:
    """Caches of their own, with lookups allowed."""
    settings = Settings(
        cache=["memory://"], products=[f"file://{tmp_path}/products"], plugins={"flow": {"resolve": True}}
    )
    with Runtime(settings) as runtime, using(runtime):
        yield


def asked(address: str) -> tuple[str, list[str], list[str]]:
    """A resolver that knows one address."""
    if address == "192.0.2.1":
        return "one.example.net", [], [address]
    raise socket.herror(1, "Unknown host")


def test_without_the_setting_nothing_is_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in Python nor over HTTP: name servers would see what is looked at."""
    monkeypatch.setattr(socket, "gethostbyaddr", lambda address: pytest.fail(f"{address} was looked up"))
    with Runtime(Settings(cache=["memory://"], products=[f"file://{tmp_path}/products"])) as runtime, using(runtime):
        for call in (lambda: rwresolve("192.0.2.1"), lambda: served["rwresolve"](addresses="192.0.2.1")):
            with pytest.raises(ResolvingOffError, match="resolve = true") as caught:
                call()
            assert isinstance(caught.value, OperationError)  # a refusal, not a failure
            assert caught.value.errors[0]["parameter"] == "addresses"


def test_each_address_has_its_name_or_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order of the addresses' numbers, as an operation and in Python."""
    monkeypatch.setattr("rave_flow.model.host_names.names_of.__defaults__", (asked,))
    rows = [
        {"address": "192.0.2.1", "name": "one.example.net", "why": None},
        {"address": "192.0.2.2", "name": None, "why": "no name (Unknown host)"},
    ]
    with allowed(tmp_path):
        assert rwresolve("192.0.2.2,192.0.2.1").to_pylist() == rows
        assert served["rwresolve"](addresses="192.0.2.2,192.0.2.1").to_pylist() == rows


def test_a_resolver_that_does_not_answer_costs_the_timeout_only() -> None:
    """More addresses wait than there are lookups at a time; all are reported."""
    hanging = threading.Event()

    def silent(address: str) -> tuple[str, list[str], list[str]]:
        if address == "10.0.0.1":
            return "a.example.net", [], [address]
        hanging.wait(20)
        raise socket.herror(1, "Unknown host")

    addresses = [f"10.0.0.{number}" for number in range(1, LOOKUPS * 3)]
    found = names_of(addresses, 0.1, threading.Event.wait, silent)
    hanging.set()
    assert found.found == {"10.0.0.1": "a.example.net"}
    assert set(found.failed) == set(addresses[1:])
    assert found.failed["10.0.0.2"] == "no answer within 0.1 s"


def test_too_many_addresses_and_no_time_are_refused(tmp_path: Path) -> None:
    """A network of thousands is not looked up by mistake."""
    with allowed(tmp_path):
        with pytest.raises(ParameterError, match="4096 addresses: expected at most 1000"):
            rwresolve("10.0.0.0/20")
        with pytest.raises(ParameterError, match="timeout"):
            rwresolve("10.0.0.1", timeout=3600)
