"""What people see of a journal: its history, what changed; and what a journal refuses to take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rave_journal.settings import JournalSettings

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


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"journal": ["a"]}, "unknown setting 'journal'"),
        ({"journals": []}, "journals is empty"),
        ({"journals": ["a/b"]}, "journals has 'a/b'"),
        ({"journals": ["a"], "schemas": {"b": "x.json"}}, "schemas names the journal 'b'"),
        ({"journals": ["a"], "schemas": {"a": 7}}, "schemas.a is 7"),
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
