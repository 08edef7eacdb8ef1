"""Passwords of URLs, wherever a text that is shown quotes one."""

from __future__ import annotations

from pathlib import Path

import pytest

from rave_core import Runtime, Settings
from rave_core.backend import StoreURL
from rave_core.documents import open_store
from rave_core.text.secrets import without_secrets

URLS = (
    "s3://key:hunter2@bucket",
    "s3:/key:hunter2@bucket",
    "key:hunter2@bucket",
    "s3://bucket?secret_access_key=hunter2",
    "s3://bucket?endpoint=http://me:hunter2@127.0.0.1:1&profil=a",
    "valkey://127.0.0.1:1/0?prefix=a&password=hunter2",
    "valkey://me:hunter2@127.0.0.1:port/0",
    "vakley://me:hunter2@127.0.0.1/0",
    "valkey://me:hunter2@[::1",
    "file://me:hunter2@/tmp/x",
    "file:///tmp/x?token=hunter2",
    "memory://?secret=hunter2",
    "sqlite://me:hunter2@/x",
)


@pytest.mark.parametrize("url", URLS)
def test_a_refused_url_is_shown_without_its_password(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the message, and in those of all causes, which a traceback shows."""
    monkeypatch.chdir(tmp_path)  # a file of documents may be made
    told = []
    for refuse in (
        lambda: Runtime(Settings(cache=[url])).container,
        lambda: Settings(documents=url),
        lambda: Runtime(Settings(events=url)).container,
        lambda: open_store(url),
        lambda: StoreURL(url).done(),
    ):
        try:
            refuse()
        except Exception as error:  # a library's own counts too
            cause: BaseException | None = error
            while cause is not None:
                told.append(str(cause))
                cause = cause.__cause__
    assert told
    assert not [each for each in told if "hunter2" in each]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://key:pw@bucket/a?region=b", "s3://***@bucket/a?region=b"),
        ("['a://me@h', 'b:me:pw@h']", "['a://***@h', '***@h']"),
        ("x://h?a=1&api_key=2&b=3#c", "x://h?a=1&api_key=***&b=3#c"),
        ("x://h?sv=1&sig=2&sigma=3", "x://h?sv=1&sig=***&sigma=3"),
        ("mail me@example.org at 10:30", "mail me@example.org at 10:30"),
        ("file:///home/me@work/cache", "file:///home/me@work/cache"),
        ("a secret = here", "a secret = here"),
    ],
)
def test_only_what_gives_access_is_hidden(text: str, shown: str) -> None:
    """All else stays as it is."""
    assert without_secrets(text) == shown
