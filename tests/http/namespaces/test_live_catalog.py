"""Live namespaces: what the service serves while the directories of namespaces are edited (R18)."""

from __future__ import annotations

import logging
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from rave_core import Runtime
from rave_core.errors import ConfigurationError, PluginError, UnknownNameError
from rave_core.model import OperationSpec
from rave_core.runtime.version_finder import VersionFinder
from rave_core.testing.clock import FakeClock
from rave_core.versions.version import Version
from rave_http.namespaces.ini_file import read_namespaces
from rave_http.namespaces.live_catalog import NamespaceState
from tests.http.namespaces.live_code import ANSWER, answer, live, state, write


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Logs of this service are as they were when a test is over."""
    logger = logging.getLogger("watchfiles")
    level = logger.level
    yield
    logger.setLevel(level)


class TestFiles:
    """The INI file of §14.2.2."""

    @staticmethod
    def read(tmp_path: Path, text: str, root: str | None = None) -> dict[str, str]:
        """What a file with that text says."""
        (tmp_path / "namespaces.ini").write_text(textwrap.dedent(text))
        return read_namespaces(str(tmp_path / "namespaces.ini"), root)

    def test_names_stand_for_directories(self, tmp_path: Path) -> None:
        """In order, with their case; relative ones start at the file; comments are left out."""
        text = """
            # The analyses of two teams.
            [namespaces]
            foo = /usr/local/home/foo/namespace
            Bar: bar/../code  ; not ours
            # old = /nowhere
            baz=~/baz
        """
        assert list(self.read(tmp_path, text).items()) == [
            ("foo", "/usr/local/home/foo/namespace"),
            ("Bar", f"{tmp_path}/code"),
            ("baz", f"{os.environ['HOME']}/baz"),
        ]

    def test_nsroot_is_the_root(self, tmp_path: Path) -> None:
        """As often as it is used, whatever is in it."""
        text = "[namespaces]\nfoo = %(nsroot)s/foo/namespace\nbar=%(nsroot)s/bar%%20"
        assert self.read(tmp_path, text, "/srv/100%") == {
            "foo": "/srv/100%/foo/namespace",
            "bar": "/srv/100%/bar%20",
        }

    @pytest.mark.parametrize(
        ("text", "wrong"),
        [
            ("[namespaces]\n\nfoo = %(nsroot)s/x", "line 3: %(nsroot)s is used; give --namespace-root"),
            ("[namespaces]\nfoo = %(root)s/x", "line 2: nothing is called %(root)s; did you mean 'nsroot'?"),
            ("[namespaces]\nfoo = /100%x", "line 2: write %% for a percent sign"),
            ("[namespaces]\nfoo = %(foo)s/x", "line 2: 'foo' is defined by itself"),
            ("[namespaces]\nfoo = /a\nbar = /b\nfoo = /c", "namespace 'foo' stands in line 2 and again in line 4"),
            ("[namespaces]\na = /a\n[namespaces]\nb = /b", "section [namespaces] starts in line 1 and again in line 3"),
            ("[namespaces]\na = /a\n[namespace]\nb = /b", "line 3: unknown section [namespace]; the only one is"),
            ("[DEFAULT]\nnsroot = /a\n[namespaces]\n", "line 1: unknown section [DEFAULT]"),
            ("foo = /a", "line 1: the section [namespaces] has to start before 'foo = /a'"),
            ("[namespaces]\nfoo", "line 2: expected name = directory, not 'foo'"),
            ("[namespaces]\nfoo =", "line 2: expected foo = one directory, not ''"),
            ("[namespaces]\nfoo = /a\n  /b", "line 2: expected foo = one directory"),
            ("[namespaces]\nnsroot = /a", "line 2: nsroot is what --namespace-root gives"),
            ("", "has no section [namespaces]"),
        ],
    )
    def test_a_mistake_names_file_and_line(self, tmp_path: Path, text: str, wrong: str) -> None:
        """And says what would be right."""
        with pytest.raises(ConfigurationError) as caught:
            self.read(tmp_path, text)
        assert wrong in str(caught.value)
        assert f"{tmp_path}/namespaces.ini" in str(caught.value)

    def test_a_file_that_can_not_be_read_is_named(self, tmp_path: Path) -> None:
        """It is not there, or is no text."""
        (tmp_path / "bytes").write_bytes(b"\xff\xfe")
        for name in ("lost", "bytes"):
            with pytest.raises(ConfigurationError, match=f"the namespaces file {tmp_path}/{name} can't be read"):
                read_namespaces(f"{tmp_path}/{name}")


class TestReload:
    """Without watching: as somebody asks for it."""

    def test_operations_are_found_by_either_name(self, runtime: Runtime, code: Path) -> None:
        """That of the URL, and that of the keys, which may have been given by the decorator."""
        more = "@op(name='fixed')\ndef named(): pass\n__export__ |= {'other': named, 'a/b': answer}\n"
        (code / "__init__.py").write_text(ANSWER.format(word="one") + more)
        namespaces = live(local=code)
        named, found = namespaces.find("local/other"), namespaces.find("local/answer")
        assert found is not None
        assert namespaces.by_full_name("fixed") is named
        other = namespaces.by_full_name(found.resolved.name)
        assert other is not None
        assert (other.name, other.operation) == ("local/a/b", found.operation)
        assert [each.name for each in namespaces.by_quoted_name(found.resolved.name)] == ["local/a/b", "local/answer"]
        for absent in ("local/named", "local", "", "nowhere/answer"):
            assert namespaces.find(absent) is None
            assert namespaces.by_full_name(absent) is None

    def test_a_change_is_taken(self, runtime: Runtime, code: Path) -> None:
        """The state tells when, and how often; whoever wants to hears of it."""
        clock, heard = FakeClock(1000.0), list[NamespaceState]()
        namespaces = live(clock, local=code)
        first, generation = state(namespaces), namespaces.generation
        namespaces.on_change.append(heard.append)
        assert first == NamespaceState("local", "directory", str(code), 1, 1000.0, ("local/answer",))
        write(code, "two")
        clock.advance(5)
        after = namespaces.reload("local")
        assert (after.generation, after.loaded_at, after.error) == (2, 1005.0, "")
        assert (answer(namespaces), state(namespaces), heard) == ("two", after, [after])
        assert namespaces.generation > generation

    def test_a_broken_change_is_reported_and_not_taken(
        self, runtime: Runtime, code: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """In the log once, with file and line; in the state and the catalog until it is mended."""
        clock, heard = FakeClock(1000.0), list[NamespaceState]()
        namespaces = live(clock, local=code)
        namespaces.on_change.append(heard.append)
        before, generation = state(namespaces), namespaces.generation
        clock.advance(5)
        for source in ("1 / 0", "1 / 0", "\n1 / 0"):
            (code / "__init__.py").write_text(source)
            namespaces.reload("local")
        after = state(namespaces)
        assert (after.generation, after.loaded_at, after.operations) == (1, 1000.0, before.operations)
        assert (after.failed_at, answer(namespaces), namespaces.generation) == (1005.0, "one", generation)
        assert f"ZeroDivisionError: division by zero ({code}/__init__.py, line 2)" in after.error
        assert [str(problem) for problem in after.problems] == [after.error]
        assert after.problems[0] in namespaces.catalog.problems
        told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        assert len(told) == 2
        assert "namespace local: its change is not loaded, generation 1 serves on" in told[0]
        assert "__init__.py, line 1)" in told[0]
        assert "__init__.py, line 2)" in told[1]
        assert [bool(each.error) for each in heard] == [True, True, True]
        write(code, "two")
        mended = namespaces.reload("local")
        assert (mended.generation, mended.error, mended.failed_at, mended.problems) == (2, "", None, ())

    def test_what_never_loaded_is_reported_until_it_does(self, runtime: Runtime, tmp_path: Path) -> None:
        """It is there, with nothing in it."""
        namespaces = live(FakeClock(7.0), local=tmp_path / "lost")
        first = state(namespaces)
        assert (first.kind, first.generation, first.loaded_at, first.operations) == ("directory", 0, 0.0, ())
        assert "can't be read" in first.error
        assert first.failed_at == 7.0
        write(tmp_path / "lost", "found")
        assert namespaces.reload("local").generation == 1
        assert answer(namespaces) == "found"

    def test_a_listener_that_fails_does_not_keep_others_from_hearing(
        self, runtime: Runtime, code: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is logged."""
        heard: list[NamespaceState] = []
        namespaces = live(local=code)
        namespaces.on_change += [lambda state: 1 / 0, heard.append]
        namespaces.reload("local")
        assert len(heard) == 1
        assert "failed to handle a change of namespace local" in caplog.text

    def test_only_directories_can_be_loaded_anew(self, runtime: Runtime, code: Path) -> None:
        """For a package it is said how; an unknown name is unknown."""
        namespaces = live(local=code)
        assert state(namespaces, "example").kind == "installed"
        with pytest.raises(
            ConfigurationError, match=r"'example' is the installed package rave_example, .* by the signal HUP"
        ):
            namespaces.reload("example")
        with pytest.raises(UnknownNameError, match="no namespace is called 'locla'; did you mean 'local'"):
            namespaces.reload("locla")

    def test_a_name_that_is_taken_is_a_problem(self, runtime: Runtime, code: Path) -> None:
        """It names both sides; the package stays, and the directory is not loaded."""
        namespaces = live(example=code)
        told = state(namespaces, "example")
        assert (told.kind, told.generation) == ("installed", 1)
        assert f"claimed by both rave_example and {code}" in str(told.problems[0])
        with pytest.raises(ConfigurationError):
            namespaces.reload("example")

    def test_load_errors_are_fatal_at_the_start_where_that_is_asked(self, runtime: Runtime, code: Path) -> None:
        """And at no other time."""
        namespaces = live(fatal=True, local=code)
        (code / "__init__.py").write_text("1 / 0")
        assert namespaces.reload("local").error
        with pytest.raises(PluginError, match="ZeroDivisionError"):
            live(fatal=True, local=code)


def test_code_is_followed_once_it_is_asked_for(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the start of a worker nor a change waits for the versions of all operations, which can take seconds."""
    found: list[str] = []
    find = VersionFinder.find

    def noted(self: VersionFinder, spec: OperationSpec) -> Version:
        found.append(spec.name)
        return find(self, spec)

    monkeypatch.setattr(VersionFinder, "find", noted)
    write(tmp_path / "one", "a")
    write(tmp_path / "two", "b")
    namespaces = live(one=tmp_path / "one", two=tmp_path / "two")
    write(tmp_path / "two", "c")
    namespaces.reload("two")
    assert not found
    exported = namespaces.find("two/answer")
    assert exported is not None
    version = exported.resolved.binder.version
    assert (len(found), exported.resolved.binder.version) == (1, version)
    write(tmp_path / "two", "d")
    namespaces.reload("two")
    changed = namespaces.find("two/answer")
    assert changed is not None
    assert changed.resolved.binder.version != version
