"""Who may do what, over a real connection: keys, permissions, hiding, CORS, rate limits, and the audit of it all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Service = Any  # RunningService of the conftest


def make_key(place: Path, user: str, *switches: str) -> str:
    """A new API key, made with the command."""
    command = [str(Path(sys.executable).parent / "rave"), "key", "create", user, "--keys-file", f"{place}/keys.json"]
    return subprocess.run([*command, *switches], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def guarded(start_service: Callable[..., Service], tmp_path: Path) -> Service:
    """A service that shows nothing to strangers, to which alice has a key, and bob one for looking only."""
    alice, bob = make_key(tmp_path, "alice"), make_key(tmp_path, "bob", "--permission", "view")
    service = start_service(
        workers=1,
        anonymous=[],
        keys_file=f"{tmp_path}/keys.json",
        permissions={"alice": ["view", "run", "refresh"], "*": ["view", "run"]},
    )
    service.alice = {"Authorization": f"Bearer {alice}"}
    service.bob = {"Authorization": f"Bearer {bob}"}
    return service


def test_a_stranger_can_not_tell_what_is_hidden_from_what_is_not_there(guarded: Service) -> None:
    """A refused operation, an absent one and a refused product look alike but for their address."""
    seen = [guarded.get(path) for path in ("/lab/square?n=1", "/lab/nothing", "/none/x", "/-/products/lab/square/a/b")]
    assert {answer.status_code for answer in seen} == {404}
    assert len({answer.json()["detail"] for answer in seen}) == 1
    assert guarded.get("/").json()["operations"] == []
    assert "lab" not in guarded.get("/-/openapi.json").text.replace("available", "").replace("label", "")


def test_a_key_opens_what_its_user_may(guarded: Service) -> None:
    """Answers to whoever has a key are private; a wrong key is a 401 with a challenge."""
    answer = guarded.get("/lab/square?n=2", headers=guarded.alice)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"].startswith("private")
    again = guarded.get("/lab/square?n=2", headers=guarded.alice)
    assert again.headers["Cache-Control"].startswith("private")
    wrong = guarded.get("/lab/square?n=2", headers={"Authorization": "Bearer rave_nothing_nothing"})
    assert wrong.status_code == 401
    assert wrong.headers["WWW-Authenticate"].startswith("Bearer")
    assert guarded.get("/lab/square?n=2").status_code == 404, "a hot answer must not be given to a stranger"


def test_who_may_only_look_gets_what_is_kept(guarded: Service) -> None:
    """Without the permission to run, a kept result is served and nothing is computed."""
    assert guarded.get("/lab/square?n=3", headers=guarded.bob).status_code == 403
    guarded.get("/lab/square?n=3", headers=guarded.alice)
    assert guarded.get("/lab/square?n=3", headers=guarded.bob).status_code == 200
    assert len(guarded.runs("square 3")) == 1


def test_refreshing_needs_its_own_permission_and_is_audited(
    guarded: Service, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """Whoever may refresh has it computed anew; both the change and the refusal are in the log."""
    carol = {"X-API-Key": make_key(tmp_path, "carol")}
    guarded.get("/lab/square?n=4", headers=guarded.alice)
    refused = "/lab/square?n=4&rave.refresh=1"
    # The service looks at its keys about twice a second, and each worker for itself.
    wait_until(lambda: all(guarded.get(refused, headers=carol).status_code == 403 for _ in range(8)))
    refreshed = guarded.get("/lab/square?n=4&rave.refresh=1", headers=guarded.alice)
    assert refreshed.headers["Cache-Status"] == "rave; fwd=request; stored"
    assert len(guarded.runs("square 4")) == 2
    audited = [line for line in guarded.log.splitlines() if "rave.audit" in line and "refresh" in line]
    assert any("alice" in line for line in audited)
    assert any("carol" in line for line in audited)


def test_a_revoked_key_is_refused_without_a_restart(guarded: Service, tmp_path: Path, wait_until: Any) -> None:
    """Within moments of `rave key revoke` the key opens nothing."""
    key_id = guarded.alice["Authorization"].split("_")[1]
    command = [str(Path(sys.executable).parent / "rave"), "key", "revoke", key_id]
    subprocess.run([*command, "--keys-file", f"{tmp_path}/keys.json"], check=True, capture_output=True)
    wait_until(lambda: guarded.get("/lab/square?n=2", headers=guarded.alice).status_code == 401)


def test_pages_of_other_origins_may_read_answers_if_configured(start_service: Callable[..., Service]) -> None:
    """The configured origin is allowed, with the headers that scripts need; others are not."""
    service = start_service(workers=1, cors_origins=["https://portal.example.org"])
    answer = service.get("/lab/square?n=1", headers={"Origin": "https://portal.example.org"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://portal.example.org"
    assert "Location" in answer.headers["Access-Control-Expose-Headers"]
    other = service.get("/lab/square?n=1", headers={"Origin": "https://evil.example.org"})
    assert "Access-Control-Allow-Origin" not in other.headers
    preflight = service.ask(
        "OPTIONS",
        "/lab/square",
        headers={"Origin": "https://portal.example.org", "Access-Control-Request-Method": "POST"},
    )
    methods = service.get("/-/openapi.json").json()["paths"].values()
    used = {method.upper() for each in methods for method in each if method != "parameters"} | {"QUERY"}
    assert {"PUT", "PATCH", "DELETE"} < used
    assert used <= set(preflight.headers["Access-Control-Allow-Methods"].split(", "))


def test_computing_is_limited_and_kept_results_are_not(start_service: Callable[..., Service]) -> None:
    """Beyond the limit a new computation is a 429 that says when; a hit costs nothing."""
    service = start_service(workers=1, rate_limit="3/minute")
    assert [service.get(f"/lab/square?n={n}").status_code for n in (1, 2, 3, 4)] == [200, 200, 200, 429]
    refused = service.get("/lab/square?n=5")
    assert int(refused.headers["Retry-After"]) >= 1
    assert [service.get("/lab/square?n=1").status_code for _ in range(20)] == [200] * 20


def test_an_outside_address_without_authentication_is_refused(tmp_path: Path) -> None:
    """The service does not start, and says what to do."""
    command = [str(Path(sys.executable).parent / "rave"), "serve", "--bind", "0.0.0.0:0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "rave key create" in done.stderr
    assert "--allow-anonymous" in done.stderr


def test_a_default_makes_nobody_public(start_service: Callable[..., Service], tmp_path: Path, free_port: Any) -> None:
    """With a key and an outside address, strangers may nothing unless the settings say so."""
    key = make_key(tmp_path, "dora")
    port = free_port()
    service = start_service(workers=1, port=port, bind=f"0.0.0.0:{port}", keys_file=f"{tmp_path}/keys.json")
    assert service.get("/lab/square?n=1").status_code == 404
    assert service.get("/lab/square?n=1", headers={"Authorization": f"Bearer {key}"}).status_code == 200
