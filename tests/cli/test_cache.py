from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rave_core.storage.listing import short_id


@pytest.fixture
def filled(shell: Any) -> Any:
    """The command line over caches with four entries."""
    for arguments in (["lab/add", "1"], ["lab/add", "2"], ["lab/words", "some text"], ["lab/sheet", "3"]):
        assert shell("run", *arguments).exit_code == 0
    return shell


def _json(result: Any) -> Any:
    return json.loads(result.stdout)


def test_entries_are_listed(filled: Callable[..., Any], keys: Callable[..., list[str]]) -> None:
    """With the beginning of their digest, by which they can be shown, and the call that they answer."""
    lines = filled("cache", "ls").stdout.splitlines()
    assert lines[0].split() == ["ID", "AGE", "SIZE", "TOOK", "EXPIRES", "CALL"]
    assert len(lines) == 5
    assert sum("lab/add(a=1, b=10)" in line for line in lines) == 1
    digest = next(line for line in lines if "lab/add(a=1, b=10)" in line).split()[0]
    assert filled("cache", "show", digest).stdout.splitlines()[0] in keys("lab/add/")


def test_a_prefix_and_a_place_narrow_the_list(filled: Callable[..., Any], keys: Callable[..., list[str]]) -> None:
    """By operation, and by kind of cache."""
    assert len(keys("lab/add/")) == 2
    assert len(_json(filled("cache", "ls", "--products", "--json"))["entries"]) == 1
    assert len(_json(filled("cache", "ls", "--data", "--json"))["entries"]) == 3
    assert filled("cache", "ls", "other/").stderr == "Nothing is stored under 'other/'.\n"


@pytest.mark.parametrize(("sort", "name"), [("size", "size"), ("age", "created_at"), ("seconds", "seconds")])
def test_the_list_is_sorted_the_largest_first(filled: Callable[..., Any], sort: str, name: str) -> None:
    """By size, by time of making, and by time of computing."""
    values = [entry[name] for entry in _json(filled("cache", "ls", "--sort", sort, "--json"))["entries"]]
    assert len(values) == 4
    assert values == sorted(values, reverse=True)


def test_an_entry_is_shown(filled: Callable[..., Any], keys: Callable[..., list[str]]) -> None:
    """All that its header says, and where a file lies."""
    (key,) = keys("lab/sheet/")
    document = _json(filled("cache", "show", key, "--json"))
    assert document["key"] == key
    assert document["operation"] == "lab/sheet"
    assert document["arguments"] == {"rows": "3"}
    assert document["expires_at"] is None
    assert Path(document["path"]).read_text() == "n\n0\n1\n2\n"
    text = filled("cache", "show", key).stdout
    assert text.startswith(f"{key}\n")
    assert "rows = 3" in text
    assert "never expires" in text


def test_an_entry_names_those_it_was_made_from(filled: Callable[..., Any], keys: Callable[..., list[str]]) -> None:
    """The children of an entry are the keys that its computation asked for."""
    filled("run", "lab/total", "numbers=1,2")
    (key,) = keys("lab/total/")
    assert set(_json(filled("cache", "show", key, "--json"))["children"]) <= set(keys("lab/add/"))


@pytest.mark.parametrize(
    ("name", "message"), [("lab/", "'lab/' means 4 entries"), ("nope", "no entry is called 'nope'")]
)
def test_what_means_no_single_entry_is_refused(filled: Callable[..., Any], name: str, message: str) -> None:
    """Several or none: exit code 2."""
    result = filled("cache", "show", name)
    assert result.exit_code == 2
    assert message in result.stderr


def test_removing_by_prefix_leaves_the_rest(filled: Callable[..., Any], keys: Callable[..., list[str]]) -> None:
    """Only what was named is gone."""
    result = filled("cache", "rm", "lab/add/", "--yes", "--json")
    assert _json(result)["removed"] == 2
    assert len(keys()) == 2
    assert keys("lab/add/") == []


def test_removing_by_the_name_in_the_catalog(
    shell: Any, keys: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the keys have another, because the operation belongs to a module outside of the namespace."""
    (tmp_path / "outside_of_it.py").write_text("from rave_core import op\n@op(version=1)\ndef half(n): return 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    exports = "from outside_of_it import half\n__export__ = {'the/half': half}\n"
    shell.modules.append("outside_of_it")
    shell.install("tools_of_it", exports, "[rave.namespaces]\ntools = tools_of_it\n")
    assert shell("run", "tools/the/half", "n=4").exit_code == 0
    assert len(keys("outside_of_it%3Ahalf/") + keys("outside_of_it:half/")) == 1
    assert _json(shell("cache", "rm", "tools/the/half/", "--yes", "--json"))["removed"] == 1
    assert keys() == []


def test_removing_by_id_tag_and_expiry(filled: Callable[..., Any], keys: Callable[..., list[str]]) -> None:
    """An ID means one entry, a tag those of its operations, --expired those that are."""
    key = keys("lab/words/")[0]
    assert _json(filled("cache", "rm", short_id(key)[:8], "--yes", "--json"))["removed"] == 1
    assert _json(filled("cache", "rm", "--expired", "--yes", "--json"))["removed"] == 0
    assert _json(filled("cache", "rm", "--tag", "sums", "--yes", "--json"))["removed"] == 2
    assert [key.rsplit("/", 2)[0] for key in keys()] == ["lab/sheet"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what to remove"),
        (["", "--yes"], "an empty prefix would mean every entry"),
        (["lab/"], "add --yes"),
        (["nope", "--yes"], "no entry is called 'nope'"),
    ],
)
def test_removing_needs_to_know_what_and_a_yes(
    filled: Callable[..., Any], keys: Callable[..., list[str]], arguments: list[str], message: str
) -> None:
    """Without a terminal nobody can be asked, so nothing is removed."""
    result = filled("cache", "rm", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(keys()) == 4


def test_purging_removes_what_expired(filled: Callable[..., Any], keys: Callable[..., list[str]]) -> None:
    """What is still valid stays."""
    filled("--set", "data_expire_after=0.001", "run", "lab/words", "short-lived")
    assert len(keys()) == 5
    assert _json(filled("cache", "purge", "--json"))["entries"] == 1
    assert len(keys()) == 4
    assert filled("cache", "purge").stdout == "Removed 0 entries, 0 B.\n"


def test_statistics_add_up(filled: Callable[..., Any]) -> None:
    """By operation and in all, with the budget where there is one."""
    data, products = _json(filled("cache", "stats", "--json"))["caches"]
    assert (data["name"], data["entries"], data["max_bytes"]) == ("data", 3, None)
    assert sum(usage["entries"] for usage in data["operations"]) == 3
    assert {usage["operation"] for usage in data["operations"]} == {"lab/add", "lab/words"}
    assert (products["name"], products["entries"], products["bytes"]) == ("products", 1, 8)
    assert products["used_bytes"] > products["bytes"]
    text = filled("cache", "stats").stdout
    assert "lab/add          2" in text
    assert ", without a limit; computing them took " in text
    assert "4 B" not in filled("cache", "stats", "--products").stdout.splitlines()[0]


def test_verifying_sound_caches_says_so(filled: Callable[..., Any]) -> None:
    """Values and files are read whole."""
    assert filled("cache", "verify", "nope/").stderr == "Nothing is stored under 'nope/'.\n"
    result = filled("cache", "verify")
    assert (result.exit_code, result.stdout) == (0, "Checked 4: 4 sound\n")


def test_damage_is_found_and_repaired(filled: Callable[..., Any], tmp_path: Path) -> None:
    """Exit code 1 while there is any; --repair sets it aside, and the next check is clean."""
    frame = next(path for path in (tmp_path / "data" / "lab" / "words").rglob("*.rave"))
    frame.write_bytes(frame.read_bytes()[:-1] + b"!")
    product = next(path for path in (tmp_path / "products" / "lab").rglob("*.csv"))
    os.truncate(product, 1)
    result = filled("cache", "verify", "--json")
    assert result.exit_code == 1
    document = _json(result)
    assert (document["checked"], document["sound"], document["damaged"]) == (4, 2, 2)
    assert {problem["key"].split("/")[1] for problem in document["problems"]} == {"words", "sheet"}
    repaired = filled("cache", "verify", "--repair")
    assert repaired.exit_code == 1
    assert "Set 2 aside." in repaired.stdout
    assert filled("cache", "verify").stdout == "Checked 2: 2 sound\n"


def test_an_entry_sealed_with_another_key_is_foreign_and_stays(filled: Callable[..., Any], tmp_path: Path) -> None:
    """It may be sound to others, so a repair leaves it alone."""
    (tmp_path / "key").write_bytes(b"k" * 32)
    (tmp_path / "key").chmod(0o600)
    other = ["--set", f"signing_key_file={tmp_path}/key"]
    result = filled(*other, "cache", "verify", "--repair", "--json")
    assert (result.exit_code, _json(result)["foreign"]) == (1, 4)
    assert filled("cache", "verify").exit_code == 0


def test_pins_are_set_shown_and_taken_away(filled: Callable[..., Any]) -> None:
    """In both caches, unless one is chosen."""
    assert filled("cache", "pin").stderr == "Nothing is pinned.\n"
    assert filled("cache", "pin", "lab/add/", "--data").stdout == "data  lab/add/\n"
    assert _json(filled("cache", "pin", "lab/sheet/", "--json"))["pins"] == {
        "data": ["lab/add/", "lab/sheet/"],
        "products": ["lab/sheet/"],
    }
    assert filled("cache", "pin", "--remove", "lab/sheet/").stdout == "data  lab/add/\n"
    gone = filled("cache", "pin", "--remove", "lab/sheet/")
    assert gone.exit_code == 1
    assert "not pinned before: lab/sheet/" in gone.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((), "say which pins"), (("", "--remove"), "an empty prefix would mean every entry")],
)
def test_pins_to_take_away_are_named(filled: Callable[..., Any], arguments: tuple[str, ...], words: str) -> None:
    """Nothing is guessed."""
    result = filled("cache", "pin", *(arguments or ("--remove",)))
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_purge_with_a_time_limit_says_that_it_stopped(filled: Callable[..., Any]) -> None:
    """The same command goes on, until it is through."""
    first = filled("cache", "purge", "--data", "--seconds", "0")
    assert first.stdout == "Removed 0 entries, 0 B. Not everything was looked at yet; the same command goes on.\n"
    for _ in range(5):
        told = _json(filled("cache", "purge", "--data", "--seconds", "0", "--json"))
        if told["complete"]:
            break
    assert told == {"entries": 0, "bytes": 0, "leftovers": 0, "complete": True}


def test_a_long_list_is_cut_and_says_so(filled: Callable[..., Any]) -> None:
    """What comes first by the order that was asked for is shown."""
    everything = _json(filled("cache", "ls", "--sort", "size", "--json"))
    assert (len(everything["entries"]), everything["total"]) == (4, 4)
    some = filled("cache", "ls", "--sort", "size", "--limit", "2")
    assert len(some.stdout.splitlines()) == 3
    assert "2 more are not shown; --limit shows more" in some.stderr
    cut = _json(filled("cache", "ls", "--sort", "size", "--limit", "2", "--json"))
    assert cut == {"entries": everything["entries"][:2], "total": 4}


def test_results_are_kept_as_they_are(filled: Callable[..., Any], keys: Callable[..., list[str]]) -> None:
    """Copies are listed with who they are for and how long; removing one needs its ID."""
    assert filled("cache", "keep").stderr == "No copies are kept.\n"
    key = next(each for each in keys() if each.startswith("lab/words"))
    kept = _json(filled("cache", "keep", key, "--for", "2d", "--comment", "the outage", "--json"))["kept"]
    assert [(each["source"], each["comment"]) for each in kept] == [(key, "the outage")]
    assert filled("cache", "rm", "lab/words", "--yes").exit_code == 0
    shown = filled("cache", "keep").stdout
    assert "for 2 d" in shown
    assert "the outage" in shown
    assert filled("cache", "rm", "--yes", "--", "-/kept/lab").exit_code == 0
    assert "  gone  lab/words" in filled("cache", "keep").stdout
    assert _json(filled("cache", "keep", "--json"))["kept"][0]["gone"] is True
    assert filled("cache", "keep", "--remove", "nothing").exit_code == 1
    assert filled("cache", "keep", "--remove").exit_code == 2
    assert filled("cache", "keep", "--for", "a while", key).exit_code == 2
    assert filled("cache", "keep", kept[0]["id"], "--remove").exit_code == 0
    assert filled("cache", "keep").stdout == ""
