"""What ``rave doctor`` finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def _findings(result: Any) -> dict[str, list[tuple[str, str]]]:
    document = json.loads(result.stdout)
    found: dict[str, list[tuple[str, str]]] = {}
    for finding in document["findings"]:
        found.setdefault(finding["level"], []).append((finding["subject"], finding["text"]))
    return found


def test_the_doctor_warns_of_a_cache_without_a_limit(shell: Callable[..., Any], tmp_path: Path) -> None:
    """An unlimited cache is no error; with a budget there is nothing to warn of."""
    findings = _findings(shell("doctor", "--json"))
    assert [subject for subject, text in findings["warning"] if "no limit in size" in text] == [
        "cache of data",
        "cache of products",
    ]
    limited = [
        "--set",
        f"cache=file://{tmp_path}/data?max_bytes=1GiB",
        "--set",
        f"products=file://{tmp_path}/p?max_bytes=1GiB",
    ]
    result = shell(*limited, "doctor", "--json")
    assert result.exit_code == 0
    assert "warning" not in _findings(result)
    assert shell(*limited, "doctor").stdout.endswith("Everything is as it should be.\n")


def test_the_doctor_finds_a_directory_that_can_not_be_written(shell: Callable[..., Any], tmp_path: Path) -> None:
    """A file where the cache should be is a problem, with exit code 1 and a mark."""
    (tmp_path / "blocked").write_text("")
    result = shell("--set", f"cache=file://{tmp_path}/blocked", "doctor")
    assert result.exit_code == 1
    assert "✗ cache of data: " in result.stdout
    assert "1 problem" in result.stdout


def test_the_doctor_tells_of_wrong_settings(shell: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that keeps everything from starting is a finding like any other."""
    monkeypatch.setenv("RAVE_LEASE_TIME", "soon")
    result = shell("doctor")
    assert result.exit_code == 1
    assert "✗ settings: environment RAVE_LEASE_TIME: 'lease_time' is 'soon'" in result.stdout


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("service.wrokers=3", "given [service]: unknown setting 'wrokers': did you mean 'workers'?"),
        ("service.rate_limit=often", "given [service]: 'rate_limit' is 'often'"),
        ("service.executor=therads", "'therads'"),
        ("service.bind=here", "'here' is not an address to listen on"),
        ("plugins.web.coroutines=none", "given [plugins.web]: 'coroutines' is 'none'"),
        ("plugins.journal.jurnals=1", "unknown setting 'jurnals'"),
        ("plugins.monitor.confgs=1", "unknown setting 'confgs'"),
        ("plugins.dask.shceduler=1", "unknown setting 'shceduler'"),
        ("plugins.flow.directry=/x", "given [plugins.flow]: unknown setting 'directry': did you mean 'directory'?"),
        ("plugins.sql.databse=x", "given [plugins.sql]: unknown setting 'databse': did you mean 'database'?"),
    ],
)
def test_a_mistake_in_a_table_of_the_service_or_a_plugin_is_told(
    shell: Callable[..., Any], table: str, message: str
) -> None:
    """By the doctor, and below the settings, by which it can be found; values that are right are none."""
    doctor = shell("--set", table, "doctor", "--json")
    assert doctor.exit_code == 1
    assert [message in text for subject, text in _findings(doctor)["error"] if subject == "settings"] == [True]
    shown = shell("--set", table, "config")
    assert shown.exit_code == 2
    assert shown.stdout.startswith("SETTING")
    assert message in shown.stderr
    as_json = shell("--set", table, "config", "--json")
    assert as_json.exit_code == 2
    assert [message in text for text in json.loads(as_json.stdout)["mistakes"]] == [True]
    right = shell("--set", "service.workers=3", "--set", "plugins.web.coroutines=3", "config", "--json")
    assert right.exit_code == 0
    assert json.loads(right.stdout)["mistakes"] == []


def test_a_check_of_settings_that_fails_is_a_mistake_of_its_plugin(shell: Any) -> None:
    """Whatever it raises: the other checks go on."""
    shell.install(
        "worse",
        "from rave_core.hookspecs import hookimpl\n@hookimpl\ndef rave_check_settings(settings): 1 / 0\n",
        "[rave.plugins]\nworse = worse\n",
    )
    result = shell("--set", "service.workers=none", "config", "--json")
    other, failed = json.loads(result.stdout)["mistakes"]
    assert "'workers' is 'none'" in other
    assert failed == "rave_check_settings of worse failed: ZeroDivisionError: division by zero"


def test_the_doctor_warns_of_a_shared_cache_without_a_key(shell: Callable[..., Any], tmp_path: Path) -> None:
    """Where others can write nothing is unpickled, and the doctor says so."""
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o777)
    shared.chmod(0o777)
    findings = _findings(shell("--set", f"cache=file://{shared}", "doctor", "--json"))
    assert [text for subject, text in findings["warning"] if subject == "sealing"]


def test_the_doctor_tells_of_plugins_and_variables(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A namespace that can't be loaded is a problem; a variable that sets nothing is worth a warning."""
    monkeypatch.setenv("RAVE_XYZZY", "1")
    shell.install("broken", "raise RuntimeError('no luck')", "[rave.namespaces]\nbroken = broken\n")
    result = shell("doctor", "--json")
    assert result.exit_code == 1
    assert result.stderr == ""
    findings = _findings(result)
    assert [subject for subject, _ in findings["error"]] == ["namespace broken"]
    assert ("settings", "RAVE_XYZZY is set, but it is not a setting") in findings["warning"]


def test_the_doctor_tells_of_entries_from_the_future(
    shell: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry that was made after now means that clocks differ."""
    shell("run", "lab/add", "1")
    import time

    past = time.time() - 3600
    from rave_core.clock import SystemClock

    monkeypatch.setattr(SystemClock, "now", staticmethod(lambda: past))
    assert ("cache of data", "1 entries were made in the future, by the clock of this host") in _findings(
        shell("doctor", "--json")
    )["warning"]
