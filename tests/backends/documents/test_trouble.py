"""Documents in trouble: wrong URLs, later schemas, databases that are away, files that vanish, processes that stop."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sql

from rave_backends.documents import sqlite as sqlite_backend
from rave_backends.documents import statements, tables
from rave_core.documents import Change, Mirror, open_store
from rave_core.errors import ConfigurationError, LaterSchemaError, RaveError, StoreAwayError

PATIENCE = 20.0


def until(condition: Callable[[], Any], what: str) -> Any:
    """Waits for something to be so; gives what it gave."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"still waiting for {what}"
        time.sleep(0.02)
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new store, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/documents.sqlite"
    return str(request.getfixturevalue("postgresql").new_database())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an SQLite file will be."""
    return tmp_path / "documents.sqlite"


def test_a_store_of_a_later_version_is_refused(place: str) -> None:
    """By both numbers, with what to do; it is not changed."""
    open_store(place).close()
    engine = sql.create_engine(place)
    with engine.begin() as connection:
        connection.execute(sql.update(tables.STATE).values(schema=99))
    with pytest.raises(LaterSchemaError, match=rf"version 99.*up to {len(tables.MIGRATIONS)}.*upgrade"):
        open_store(place)
    with engine.connect() as connection:
        assert tables.schema_of(connection) == 99
    engine.dispose()


def test_a_store_of_an_earlier_version_is_migrated(place: str) -> None:
    """With its documents."""
    engine = sql.create_engine(place)
    with engine.begin() as connection:
        tables.MIGRATIONS[0](connection)
        row = {"sequence": 1, "collection": "c", "key": "k", "version": 1, "author": "a", "comment": "", "time": 0.0}
        connection.execute(sql.insert(tables.DOCUMENTS).values(**row, payload=b"old"))
        connection.execute(sql.update(tables.STATE).values(sequence=1))
    with open_store(place) as store:
        assert (found := store.get("c", "k")) is not None
        assert found.payload == b"old"
        assert store.save("c", "k", b"new", expect=1, author="b", fence=store.next_fence("x")).sequence == 2
    with engine.connect() as connection:
        assert tables.schema_of(connection) == len(tables.MIGRATIONS)
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite://", "documents need a file"),
        ("sqlite:///:memory:", "documents need a file"),
        ("sqlite://me:s3cret@/x", "documents need a file"),
        ("sqlite:////tmp/x.sqlite?mode=ro", "unknown option 'mode'"),
        ("sqlite:////tmp/x.sqlite?max_payload=much", "max_payload='much'"),
        ("postgresql://rave:s3cret@host:port/x", "can't be read"),
        ("documents.sqlite", "is not the URL"),
        ("sqlit:////tmp/x.sqlite", "did you mean 'sqlite'?"),
    ],
)
def test_a_wrong_url_is_refused(url: str, words: str) -> None:
    """It says what would be right."""
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        open_store(url)


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra that brings it."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=re.escape("rave-framework[postgresql]")):
        open_store("postgresql://rave@127.0.0.1/x")


def test_a_server_that_is_away_at_the_start_is_named(free_port: int) -> None:
    """Without the password."""
    with pytest.raises(StoreAwayError, match=rf"127\.0\.0\.1:{free_port}.*check that the server runs") as caught:
        open_store(f"postgresql://rave:s3cret@127.0.0.1:{free_port}/x")
    assert "s3cret" not in str(caught.value)


def test_what_is_no_database_is_named(path: Path) -> None:
    """And stays as it is."""
    path.write_bytes(b"a letter, not a database" * 100)
    with pytest.raises(StoreAwayError, match="not a database"):
        open_store(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"a letter")


def test_only_the_owner_may_read_an_sqlite_file(tmp_path: Path) -> None:
    """Nor the log beside it, nor the directory that is made for it."""
    with open_store(f"sqlite:///{tmp_path}/new/documents.sqlite") as store:
        store.save("c", "k", b"", expect=0, author="ada")
        files = sorted((tmp_path / "new").iterdir())
        assert len(files) == 3
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_a_file_that_is_removed_while_it_is_in_use_is_missed(path: Path) -> None:
    """An empty one in its place would look as if all documents were gone."""
    with open_store(f"sqlite:///{path}") as store:
        store.save("c", "k", b"1", expect=0, author="ada")
        aside = path.rename(path.with_suffix(".aside"))
        for act in (lambda: store.get("c", "k"), lambda: store.save("c", "k", b"2", expect=1, author="ada")):
            with pytest.raises(StoreAwayError, match="was in use and is gone"):
                act()
        assert not path.exists()
        aside.rename(path)
        store.save("c", "k", b"2", expect=1, author="ada")


def test_a_file_that_was_replaced_is_read_anew(path: Path, tmp_path: Path) -> None:
    """As after a backup was put into its place."""
    with open_store(f"sqlite:///{path}") as store, open_store(f"sqlite:///{tmp_path}/backup.sqlite") as backup:
        store.save("c", "k", b"1", expect=0, author="ada")
        backup.save("c", "other", b"2", expect=0, author="ada")
        backup.close()
        os.replace(tmp_path / "backup.sqlite", path)
        for log in ("-wal", "-shm"):
            Path(f"{path}{log}").unlink()
        assert [head.key for head in store.heads("c")] == ["other"]


def test_a_lock_that_somebody_keeps_ends_a_save(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, with a reason; reads go on meanwhile."""
    monkeypatch.setattr(sqlite_backend, "PATIENCE", 0.1)
    with open_store(f"sqlite:///{path}") as store:
        store.save("c", "k", b"1", expect=0, author="ada")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreAwayError, match="locked"):
            store.save("c", "k", b"2", expect=1, author="ada")
        assert [head.version for head in store.heads("c")] == [1]
        other.close()
        store.save("c", "k", b"2", expect=1, author="ada")


def test_opening_a_file_twice_in_a_process_keeps_its_locks(path: Path) -> None:
    """Else another process, when it closes the file, would take itself for the last, and remove the log in use."""
    with open_store(f"sqlite:///{path}") as store:
        store.save("c", "k", b"1", expect=0, author="ada")
        open_store(f"sqlite:///{path}").close()
        read = f"import sqlite3; c = sqlite3.connect({str(path)!r}); c.execute('SELECT * FROM rave_store').fetchall()"
        read += "; c.close()"
        subprocess.run([sys.executable, "-c", read], check=True)
        assert Path(f"{path}-wal").exists()
        assert store.check() == []


def test_a_forked_child_goes_on(place: str) -> None:
    """With connections of its own; the parent keeps its."""
    with open_store(place) as store:
        store.save("c", "k", b"1", expect=0, author="parent")
        child = os.fork()
        if not child:
            store.save("c", "k", b"2", expect=1, author="child")
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert [each.author for each in store.history("c", "k")] == ["child", "parent"]
        store.save("c", "k", b"3", expect=2, author="parent")
        assert store.check() == []


def test_a_commit_is_delivered_again_if_the_callback_could_not_reach_the_store(path: Path) -> None:
    """Once, in its place."""
    tried: list[int] = []

    def fail_once(change: Change) -> None:
        tried.append(change.metadata.version)
        if tried == [1, 2]:
            raise StoreAwayError("the store of the test is away")

    with open_store(f"sqlite:///{path}") as store, store.watch(0, fail_once) as watch:
        for version in range(3):
            store.save("c", "k", b"", expect=version, author="ada")
        assert watch.reach(store.sequence(), PATIENCE)
        assert tried == [1, 2, 2, 3]


def test_reads_of_a_mirror_go_on_while_the_server_is_away(postgresql_to_restart: Any) -> None:
    """They say how old they are, saves fail clearly and write nothing, and all goes on once the server is back."""
    server = postgresql_to_restart
    with open_store(server.new_database()) as store, Mirror(store, ["c"]) as mirror:
        first = store.save("c", "k", b"1", expect=0, author="ada")
        assert mirror.reach(first.sequence, PATIENCE)
        server.stop()
        until(lambda: "check that the server runs" in (mirror.trouble or ""), "the mirror to notice")
        with pytest.raises(StoreAwayError, match="check that the server runs"):
            store.save("c", "k", b"2", expect=1, author="ada")
        with pytest.raises(RaveError):
            store.get("c", "k")
        assert (found := mirror.get("c", "k")) is not None
        assert found.payload == b"1"
        age = mirror.age()
        until(lambda: mirror.age() > age, "the age to grow")
        server.start()
        second = store.save("c", "k", b"2", expect=1, author="ada")
        assert mirror.reach(second.sequence, PATIENCE)
        assert [each.payload for each in mirror.documents("c")] == [b"2"]
        until(lambda: mirror.trouble is None, "no more trouble")
        assert mirror.age() < age + PATIENCE


def _discarded(node: dict[str, Any]) -> int:
    """How many pairs of rows PostgreSQL made to find that they do not belong together."""
    return int(node.get("Rows Removed by Join Filter", 0)) + sum(map(_discarded, node.get("Plans", [])))


def test_heads_take_no_longer_while_statistics_are_old(postgresql: Any) -> None:
    """As after a large import: PostgreSQL then expects that the collection has no documents."""
    url = postgresql.new_database()
    engine = sql.create_engine(url)
    row = {"version": 1, "author": "a", "comment": "", "time": 0.0, "payload": b"x"}
    with open_store(url) as store, engine.connect() as connection:
        connection.execute(sql.text("ALTER TABLE rave_documents SET (autovacuum_enabled = off)"))
        small = [{**row, "sequence": number, "collection": "small", "key": f"{number}"} for number in range(1, 301)]
        connection.execute(sql.insert(tables.DOCUMENTS), small)
        connection.execute(sql.text("ANALYZE rave_documents"))
        many = [{**row, "sequence": number, "collection": "c", "key": f"{number}"} for number in range(301, 601)]
        connection.execute(sql.insert(tables.DOCUMENTS), many)
        asked = statements.heads_by_group(*statements.METADATA, deleted=False).compile(engine)
        explain, values = f"EXPLAIN (ANALYZE, FORMAT JSON) {asked}", asked.construct_params({"collection": "c"})
        plan = connection.exec_driver_sql(explain, values).scalar_one()[0]["Plan"]
        assert (plan["Actual Rows"], _discarded(plan)) == (300, 0)
        connection.commit()
        assert len(list(store.heads("c"))) == 300
    engine.dispose()


STOPPED = """
import os, signal, sys
from rave_backends.documents import database, postgresql
isolation, session = postgresql._MODES[database.Mode.WRITE]
postgresql._MODES[database.Mode.WRITE] = isolation, session.replace("timeout=10s", "timeout=1s")
put = database.Database.put
def stop(self, *arguments, **keywords):
    put(self, *arguments, **keywords)
    os.kill(os.getpid(), signal.SIGSTOP)
database.Database.put = stop
from rave_core.documents import open_store
from rave_core.errors import StoreAwayError
try:
    open_store(sys.argv[1]).save("c", "k", b"late", expect=0, author="stopped", fence=1)
except StoreAwayError as error:
    print(error)
"""


def test_a_process_that_is_stopped_within_a_save_holds_up_nobody(postgresql: Any) -> None:
    """The server ends its transaction; when the process comes back, its save has failed.

    Only a save with a fence takes several steps.
    """
    url = postgresql.new_database()
    with open_store(url) as store:
        process = subprocess.Popen([sys.executable, "-c", STOPPED, url], stdout=subprocess.PIPE, text=True)
        state = Path(f"/proc/{process.pid}/stat")
        until(lambda: state.read_text().rpartition(")")[2].split()[0] == "T", "the process to stop")
        store.save("c", "k", b"soon", expect=0, author="ada")
        process.send_signal(signal.SIGCONT)
        assert "lost" in process.communicate(timeout=PATIENCE)[0] or process.returncode
        assert [each.author for each in store.history("c", "k")] == ["ada"]
        assert store.check() == []
