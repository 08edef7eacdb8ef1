"""What people see of a journal: its history, what changed; and what a journal refuses to take."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rave_journal.journal import Draft
from rave_journal.settings import JournalSettings
from rave_journal.validation import CheckAwayError

from rave_core import Settings
from rave_core.errors import ConfigurationError

BASE = "/-/journal"
HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module", autouse=True)
def _edited(service: Any) -> None:
    """A document with three versions."""
    for version, payload in enumerate((b"one\ntwo\n", b"one\n<b>three</b>\n"), start=1):
        service.commit(f"{BASE}/p.edited/{version}", payload, **{"X-Rainer-Comment": f"<i>{version}</i>"})
    service.commit(f"{BASE}/p.edited/3", b"", **{"X-Rainer-Empty": "yes"})


def test_the_history_is_text_json_or_a_page(service: Any) -> None:
    """Newest first, with tombstones; what people wrote is no markup."""
    text = service.get(f"{BASE}/p.edited/log").text
    assert [line for line in text.splitlines() if line.startswith("Commit")] == [
        "Commit 3 (deleted)",
        "Commit 2",
        "Commit 1",
    ]
    listed = service.get(f"{BASE}/p.edited/log", headers={"Accept": "application/json"}).json()["commits"]
    assert [(each["version"], each["empty"]) for each in listed] == [(3, True), (2, False), (1, False)]
    page = service.get(f"{BASE}/p.edited/log", headers=HTML).text
    assert "&lt;i&gt;2&lt;/i&gt;" in page
    assert "/-/journal:diary/p.edited/diff/1..2" in page
    assert service.get(f"{BASE}/p.never/log").status_code == 404


def test_what_changed_is_a_unified_diff_or_a_page(service: Any) -> None:
    """Between any two versions."""
    text = service.get(f"{BASE}/p.edited/diff/1..2").text
    assert text == "--- p.edited 1\n+++ p.edited 2\n@@ -1,2 +1,2 @@\n one\n-two\n+<b>three</b>\n"
    assert "-<b>three</b>" in service.get("/-/journal:diary/p.edited/diff/2..3").text
    assert "+&lt;b&gt;three&lt;/b&gt;" in service.get(f"{BASE}/p.edited/diff/1..2", headers=HTML).text
    assert service.get(f"{BASE}/p.edited/diff/2..2").text == ""
    assert service.get(f"{BASE}/p.edited/diff/1..9").status_code == 404
    assert service.get(f"{BASE}/p.edited/diff/first").status_code == 400


def test_a_journal_takes_only_what_fits_its_schema(service: Any) -> None:
    """The refusal says where, and is audited; a tombstone always fits."""
    strict = "/-/journal:strict/cfg"
    for payload, told in ((b"{", "it is not JSON"), (b'{"level": "x"}', "$.level"), (b"{}", "'level' is a required")):
        refused = service.commit(f"{strict}/1", payload)
        assert (refused.status_code, refused.text.startswith("Malformed input: ")) == (400, True)
        assert told in refused.text
    assert "refused: 'commit' '/-/journal:strict/cfg/1'" in service.log
    assert service.commit(f"{strict}/1", b'{"level": 1}').status_code == 200
    assert service.commit(f"{strict}/2", b"", **{"X-Rainer-Empty": "yes"}).status_code == 200


def test_a_journal_takes_only_what_its_operation_passes(service: Any) -> None:
    """Any exception refuses; the client gets its text. Without the operation, nothing is committed."""
    radar = "/-/journal:radar/cfg"
    for payload, told in ((b"12", "12 is too loud"), (b"x", "invalid literal"), (b"-1", "KeyError: 'quiet'")):
        refused = service.commit(f"{radar}/1", payload)
        assert (refused.status_code, refused.text.startswith("Malformed input: ")) == (400, True), refused.text
        assert told in refused.text
    assert service.commit(f"{radar}/1", b"11").status_code == 200
    assert service.commit(f"{radar}/2", b"", **{"X-Rainer-Empty": "yes"}).status_code == 200
    away = service.commit("/-/journal:odd/cfg/1", b"11")
    assert (away.status_code, away.headers["Retry-After"]) == (503, "5")
    assert "'lab/absent'" in away.text
    with pytest.raises(CheckAwayError, match="is not served here"):
        JournalSettings(journals=["a"], checks={"a": "lab/check"}).journal("a", lambda: None).commit(  # type: ignore[arg-type,return-value]  # no store is reached
            Draft("k", 1, b"x", "ada")
        )


def test_commits_are_streamed(service: Any) -> None:
    """From now on, or after the last that a client has seen; only those of the journal, from any worker."""
    stream = {"Accept": "text/event-stream"}
    for name, version in (("sites", 1), ("diary", 1), ("sites", 2)):
        made = service.commit(f"/-/journal:{name}/p.streamed/{version}", b"x")
        assert made.status_code == 200
    with service.get("/-/journal:sites/events", headers=stream | {"Last-Event-ID": "0"}, stream=True) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        seen = list(_events(lines, 2))
        assert [each["version"] for _, each in seen] == [1, 2]
        service.commit("/-/journal:sites/p.streamed/3", b"x")
        [(last, third)] = _events(lines, 1)
        assert (third["key"], third["version"]) == ("p.streamed", 3)
    service.commit("/-/journal:sites/p.streamed/4", b"x")
    with service.get("/-/journal:sites/events", headers=stream | {"Last-Event-ID": last}, stream=True) as answer:
        assert [each["version"] for _, each in _events(answer.iter_lines(), 1)] == [4]
    assert service.get("/-/journal:sites/events", headers=stream | {"Last-Event-ID": "x"}).status_code == 400
    hidden = service.get("/-/journal:secret/events", headers=stream | {"X-Remote-User": "eve"})
    assert hidden.status_code == 404


def test_a_document_can_be_called_events(service: Any) -> None:
    """Who asks for no stream gets it."""
    assert service.get(f"{BASE}/events").status_code == 404
    assert service.commit(f"{BASE}/events/1", b"what happens").status_code == 200
    assert service.get(f"{BASE}/events").content == b"what happens"
    assert service.get(f"{BASE}/events/1/meta").json()["key"] == "events"
    assert service.commit(f"{BASE}/events", b"more", **{"If-Match": '"1"'}).json()["version"] == 2


def _events(lines: Iterator[bytes], count: int) -> Iterator[tuple[str, Any]]:
    """The next commits in a stream: ID and metadata."""
    known: dict[str, str] = {}
    for line in lines:
        name, _, text = line.decode().partition(": ")
        known[name] = text
        if not line and known.get("event") == "commit":
            yield known["id"], json.loads(known["data"])
            count -= 1
        if not line:
            known = {}
        if not count:
            return


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"journal": ["a"]}, "unknown setting 'journal'"),
        ({"journals": []}, "journals is empty"),
        ({"journals": ["a/b"]}, "journals has 'a/b'"),
        ({"journals": ["a"], "schemas": {"b": "x.json"}}, "schemas names the journal 'b'"),
        ({"journals": ["a"], "schemas": {"a": 7}}, "schemas.a is 7"),
        ({"journals": ["a"], "checks": {"b": "lab/check"}}, "checks names the journal 'b'"),
    ],
)
def test_wrong_settings_are_refused_by_name(table: dict[str, Any], told: str) -> None:
    """With what would be right."""
    with pytest.raises(ConfigurationError, match=told):
        JournalSettings.of(Settings(plugins={"journal": table}))


@pytest.mark.parametrize("text", ["{", '{"type": "no type"}'])
def test_a_wrong_schema_is_refused_by_its_path(text: str, tmp_path: Path) -> None:
    """When the journal is opened."""
    path = tmp_path / "schema.json"
    path.write_text(text)
    own = JournalSettings.of(Settings(plugins={"journal": {"journals": ["a"], "schemas": {"a": str(path)}}}))

    def store() -> Any:
        raise AssertionError("it is not opened")

    with pytest.raises(ConfigurationError, match=r"schema\.json can't be used"):
        own.journal("a", store)
