"""Where the documents of a runtime are."""

from __future__ import annotations

import os
import queue
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime, Settings
from rave_core.documents import Conflict, open_store
from rave_core.errors import ConfigurationError
from rave_core.hookspecs import hookimpl
from rave_core.testing import isolated_plugins

HOME = Path("/home/of/the/test")


def test_the_default_is_a_file_in_the_data_directory_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has to be configured."""
    monkeypatch.setenv("XDG_DATA_HOME", str(HOME))
    assert Settings().documents == Settings.load().documents == f"sqlite:///{HOME}/rave/documents.sqlite"


def test_a_relative_file_starts_at_the_settings_file(tmp_path: Path) -> None:
    """And ``~`` is the home directory; URLs of servers stay as they are."""
    (tmp_path / "rave.toml").write_text('documents = "sqlite:///d.sqlite?max_payload=1MiB"')
    (tmp_path / "sub").mkdir()
    assert Settings.load(cwd=tmp_path / "sub").documents == f"sqlite:///{tmp_path}/d.sqlite?max_payload=1MiB"
    assert Settings(documents="sqlite:///~/d.sqlite").documents == f"sqlite:///{os.environ['HOME']}/d.sqlite"
    assert Settings(documents=tmp_path / "d.sqlite").documents == f"sqlite:///{tmp_path}/d.sqlite"
    assert Settings(documents="postgresql://host/x?a=b").documents == "postgresql://host/x?a=b"


@pytest.mark.parametrize("wrong", ["", "d.sqlite", "sqlite://", "sqlite:///", 3])
def test_what_is_no_url_is_refused(wrong: Any) -> None:
    """With an example."""
    with pytest.raises(ConfigurationError, match=r"'documents'.*sqlite:///"):
        Settings(documents=wrong)


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    """By ``rave config``, for example."""
    assert "s3cret" not in str(Settings(documents="postgresql://rave:s3cret@host/x").explain())


def test_documents_open_when_they_are_first_used(tmp_path: Path) -> None:
    """Not with the runtime; they close with it, and open again."""
    path = tmp_path / "d.sqlite"
    with Runtime(Settings(cache="memory://", products=f"file://{tmp_path}/p", documents=path)) as runtime:
        assert not path.exists()
        runtime.documents.save("c", "k", b"1", expect=0, author="ada")
        assert runtime.documents is runtime.documents
        runtime.close()
        assert (found := runtime.documents.get("c", "k")) is not None
        assert found.payload == b"1"


def test_a_commit_is_an_event(tmp_path: Path) -> None:
    """Without its payload and comment; a save that failed is none."""
    with Runtime(Settings(cache="memory://", products=f"file://{tmp_path}/p", documents=tmp_path / "d")) as runtime:
        heard: queue.Queue[Any] = queue.Queue()
        with runtime.events.subscribe("document.*", heard.put):
            saved = runtime.documents.save("c", "k", b"secret", expect=0, author="ada", comment="why")
            with pytest.raises(Conflict):
                runtime.documents.save("c", "k", b"", expect=0, author="ada")
            event = heard.get(timeout=10)
        assert event.topic == "document.committed"
        told = {"collection": "c", "key": "k", "version": 1, "author": "ada", "empty": False}
        assert event.data == told | {"sequence": saved.sequence}
        assert heard.empty()


def test_a_limit_of_payloads_comes_from_the_url(tmp_path: Path) -> None:
    """16 MiB by default."""
    with open_store(f"sqlite:///{tmp_path}/d.sqlite") as store:
        assert store.max_payload == 16 << 20
    with open_store(f"sqlite:///{tmp_path}/d.sqlite?max_payload=1KiB") as store:
        assert store.max_payload == 1024


def test_what_opens_no_store_is_named() -> None:
    """With the plugin that registered it."""

    class Careless:
        @hookimpl
        def rave_register_documents(self, registry: Any) -> None:
            registry.add("careless", lambda url, clock: None, origin="the careless plugin")

    with pytest.raises(ConfigurationError, match="the careless plugin opened no DocumentStore"):
        open_store("careless://x", plugins=isolated_plugins(Careless()))
