"""A process that is suspended for longer than its lease, and ends after another has made the result anew."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime, Settings, op, using
from rave_core.storage.cache import ValueCache
from rave_core.testing import FakeClock

READER = """
source = sys.argv[1]

@op(name="fire/read", version=1)
def read():
    text = open(source).read()
    log(f"read {text}")
    until(lambda: os.path.exists(sys.argv[2]))
    return text

with Runtime(Settings.load(overrides={"lease_time": 1.0})) as runtime, using(runtime):
    print(read(rave_refresh=True), runtime.statistics.namespace["Late Results"])
"""


@pytest.mark.parametrize("store", ["file://{}/data", "memory:// file://{}/data"])
def test_a_result_of_an_earlier_start_does_not_replace_a_later_one(
    start: Callable[..., Any], log: Callable[[], list[str]], until: Callable[..., Any], tmp_path: Path, store: str
) -> None:
    """Who was suspended gets its own answer; it is dropped and counted, and everybody after it gets the newer one."""
    source, gate, opened = tmp_path / "source", tmp_path / "gate", tmp_path / "opened"
    opened.touch()
    source.write_text("1")
    cache = store.format(tmp_path)
    first = start(READER, source, gate, RAVE_CACHE=cache)
    until(lambda: log() == ["read 1"], "the first read")
    first.send_signal(signal.SIGSTOP)
    source.write_text("2")
    second = start(READER, source, opened, RAVE_CACHE=cache)
    assert second.communicate(timeout=30)[0].split() == ["2", "0"]
    gate.touch()
    first.send_signal(signal.SIGCONT)
    assert first.communicate(timeout=30)[0].split() == ["1", "1"]
    third = start(READER.replace("rave_refresh=True", "rave_dry_run=True"), source, opened, RAVE_CACHE=cache)
    assert third.communicate(timeout=30)[0].split() == ["2", "0"]


@pytest.mark.parametrize("near", ["", "memory:// ", "file://{}/near "])
def test_nor_does_it_in_an_object_store(
    start: Callable[..., Any],
    log: Callable[[], list[str]],
    until: Callable[..., Any],
    tmp_path: Path,
    s3_url: str,
    near: str,
) -> None:
    """The layers of the suspended process forget what they had."""
    source, gate, opened = tmp_path / "source", tmp_path / "gate", tmp_path / "opened"
    opened.touch()
    source.write_text("1")
    mine, theirs = f"{near.format(tmp_path)}{s3_url}", s3_url
    first = start(READER, source, gate, RAVE_CACHE=mine)
    until(lambda: log() == ["read 1"], "the first read")
    first.send_signal(signal.SIGSTOP)
    source.write_text("2")
    second = start(READER, source, opened, RAVE_CACHE=theirs)
    assert second.communicate(timeout=30)[0].split() == ["2", "0"]
    gate.touch()
    first.send_signal(signal.SIGCONT)
    assert first.communicate(timeout=30)[0].split() == ["1", "1"]
    reader = READER.replace("rave_refresh=True", "rave_dry_run=True")
    for cache in (mine, theirs):
        third = start(reader, source, opened, RAVE_CACHE=cache)
        assert third.communicate(timeout=30)[0].split() == ["2", "0"]


@pytest.mark.parametrize("urls", [["memory://"], ["file://{}/c"], ["memory://", "file://{}/c"]])
def test_a_slow_result_replaces_what_was_begun_before_it(tmp_path: Path, tape: Any, urls: list[str]) -> None:
    """Being late alone drops nothing: only what was begun later counts as newer."""
    clock = FakeClock()
    settings = Settings(cache=[url.format(tmp_path) for url in urls], lease_time=1.0)
    tape.clock, tape.answers = clock, iter(("old", "new"))

    @op(name="fire/slow", version=1)
    def slow() -> str:
        tape.clock.advance(100)
        return next(tape.answers)  # type: ignore[no-any-return]  # a text

    with Runtime(settings, clock=clock) as runtime, using(runtime):
        assert slow() == "old"
        clock.advance(1)
        assert slow.resolve(rave_refresh=True).value == "new"
        assert slow() == "new"


@pytest.mark.parametrize("near", ["", "memory:// "])
def test_an_object_store_decides_as_it_writes(
    tmp_path: Path, tape: Any, s3_url: str, near: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later result that arrives after the look for one stays, too."""
    clock = FakeClock()
    settings = Settings(cache=f"{near}{s3_url}".split(), lease_time=1.0)
    tape.clock = clock

    @op(name="fire/meanwhile", version=1)
    def meanwhile() -> str:
        tape.clock.advance(100)
        tape.arrive()
        return "earlier"

    def arrive() -> None:
        with Runtime(settings, clock=clock) as theirs, using(theirs):
            meanwhile.put("later")

    tape.arrive = arrive
    monkeypatch.setattr(ValueCache, "has_later", lambda *_: False)
    with Runtime(settings, clock=clock) as runtime, using(runtime):
        before = runtime.statistics.namespace["Late Results"]
        assert meanwhile() == "earlier"
        assert runtime.statistics.namespace["Late Results"] == before + 1
        assert meanwhile() == "later"
