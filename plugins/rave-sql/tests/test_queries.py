"""Queries as operations, on SQLite, DuckDB and PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rave_sql.errors import DatabaseError, QueryError, StatementError
from rave_sql.operations import queries
from rave_sql.query import check_reads

from rave_core import Operation, OperationError, RaveError, carry
from rave_core.errors import ArgumentError, ConfigurationError, TimeLimitError
from rave_core.testing import uncounted_code

Serve = Callable[..., dict[str, Any]]

BY_NAME = """
/*
title = "People by name"
expires = "1h"

[parameters]
names = "list of text"
least = { type = "int", default = 0, description = "the least number" }
*/
SELECT id, name, score FROM people WHERE name IN :names AND id >= :least ORDER BY id
"""
ALL = "SELECT * FROM people ORDER BY id"
SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "duckdb": "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE a.range % 7 = b.range % 11",
    "postgresql": "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 1000000) b",
}


def test_a_query_is_an_operation(place: Any, serving: Serve) -> None:
    """With its parameters, their defaults, and a table as its value."""
    people = serving(place.url, people=BY_NAME)["people"]
    table = people(names=["ada", "eve"])
    assert table.to_pylist() == [
        {"id": 1, "name": "ada", "score": 2.5},
        {"id": 3, "name": "eve", "score": -1.0},
    ]
    assert people(names=["eve"], least="2").column("id").to_pylist() == [3]
    assert people(names=[]).num_rows == 0
    assert people.spec.name == "tried/people"
    assert people.spec.doc.startswith("People by name")


def test_a_result_is_kept_until_the_tables_change(place: Any, serving: Serve) -> None:
    """A hit, then a change by somebody else, then the new rows."""
    people = serving(place.url, people=BY_NAME)["people"]
    assert [people.resolve(names=["ada"]).status for _ in range(2)] == ["miss", "hit"]
    place.change("UPDATE people SET score = 7 WHERE id = 1")
    changed = people.resolve(names=["ada"])
    assert changed.status == "miss"
    assert changed.value.column("score").to_pylist() == [7.0]
    assert people.resolve(names=["ada"]).status == "hit"


def test_a_watermark_of_the_tables_decides(place: Any, serving: Serve) -> None:
    """Where it is a query, only what changes its result counts."""
    marked = f"/*\nwatermark = 'SELECT max(updated_at) FROM people'\n*/\n{ALL}"
    people = serving(place.url, people=marked)["people"]
    assert people.resolve().status == "miss"
    place.change("UPDATE people SET score = 7 WHERE id = 1")
    assert people.resolve().status == "hit"
    place.change("UPDATE people SET updated_at = '2024-06-01 00:00:00' WHERE id = 1")
    assert people.resolve().status == "miss"


def test_without_a_watermark_a_result_stays(place: Any, serving: Serve) -> None:
    """Until it expires."""
    people = serving(place.url, people=f"/*\nwatermark = 'none'\n*/\n{ALL}")["people"]
    assert people.resolve().status == "miss"
    place.change("DELETE FROM people")
    assert people.resolve().status == "hit"


@pytest.mark.parametrize("place", ["duckdb", "postgresql"], indirect=True)
def test_types_are_those_of_the_tables(place: Any, serving: Serve) -> None:
    """NULLs are nulls, decimals exact, and times with a zone are in UTC; also where there are no rows.

    SQLite has no such types: its columns are what their values are.
    """
    sql = (
        "SELECT id, name, score, born, updated_at, CAST(1.50 AS decimal(10, 2)) AS price, "
        "CAST('2024-05-14 12:00:00+02' AS timestamp with time zone) AS at FROM people ORDER BY id"
    )
    found = serving(place.url, typed=sql, nothing=sql.replace("ORDER", "WHERE id > 9 ORDER"))
    table = found["typed"]()
    assert table.to_pylist()[0] == {
        "id": 1,
        "name": "ada",
        "score": 2.5,
        "born": date(2024, 5, 14),
        "updated_at": datetime(2024, 5, 14, 10),
        "price": Decimal("1.50"),
        "at": datetime(2024, 5, 14, 10, tzinfo=UTC),
    }
    assert table.to_pylist()[2]["born"] is None
    kinds = {field.name: str(field.type) for field in found["nothing"]().schema}
    expected = {"id": "int32", "name": "string", "score": "double", "born": "date32[day]"}
    expected |= {"updated_at": "timestamp[us]", "at": "timestamp[us, tz=UTC]"}
    assert expected.items() <= kinds.items()


def test_a_result_that_is_too_long_is_cut_and_marked(place: Any, serving: Serve) -> None:
    """Or refused, where the query says so."""
    found = serving(
        place.url,
        cut=f"/*\nmax_rows = 2\n*/\n{ALL}",
        whole=f"/*\nmax_rows = 3\n*/\n{ALL}",
        refused=f"/*\nmax_rows = 2\ncut = 'refuse'\n*/\n{ALL}",
    )
    assert found["cut"]().num_rows == 2
    assert found["cut"]().schema.metadata == {b"rave.sql.cut": b"2"}
    assert found["whole"]().num_rows == 3
    assert found["whole"]().schema.metadata is None
    with pytest.raises(OperationError, match=r"refused\.sql: more than max_rows = 2 rows"):
        found["refused"]()


def test_a_statement_that_takes_too_long_is_ended(place: Any, serving: Serve) -> None:
    """In time, and the database answers the next one."""
    found = serving(place.url, slow=f"/*\ntime_limit = '1s'\n*/\n{SLOW[place.kind]}", people=ALL)
    started = time.monotonic()
    with pytest.raises(TimeLimitError, match="took longer than 1 s"):
        found["slow"]()
    assert time.monotonic() - started < 15
    assert found["people"]().num_rows == 3


WRITES = [
    "INSERT INTO people VALUES (4, 'mal', 0, NULL, NULL)", "UPDATE people SET id = 0", "DELETE FROM people",
    "DROP TABLE people", "CREATE TABLE other (id integer)", "ALTER TABLE people ADD COLUMN x integer",
    "SELECT 1; DELETE FROM people", "SELECT 1; SELECT 2", "", "-- nothing", "SELECT * INTO other FROM people",
    "WITH gone AS (DELETE FROM people RETURNING *) SELECT * FROM gone", "PRAGMA user_version = 3",
    "ATTACH 'other.db' AS other", "COPY people TO 'file.csv'", "SELEC 1", "TRUNCATE TABLE people", "BEGIN",
]  # fmt: skip


@pytest.mark.parametrize("sql", WRITES)
def test_what_does_not_only_read_is_no_operation(place: Any, serving: Serve, sql: str) -> None:
    """It is refused when the file is read; the other queries are there."""
    found = serving(place.url, bad=sql, good=ALL)
    assert isinstance(found["bad"], QueryError)
    assert str(found["bad"]).startswith("bad.sql: ")
    assert found["good"]().num_rows == 3


def test_the_database_refuses_to_write_as_well(place: Any, serving: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever gets past the first look."""
    monkeypatch.setattr("rave_sql.query.check_reads", lambda *_: None)
    found = serving(place.url, bad="DELETE FROM people", good=ALL)
    with pytest.raises(StatementError):
        found["bad"]()
    assert found["good"]().num_rows == 3


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.one_of(
        st.text(max_size=30).filter(lambda text: not any("\ud800" <= letter <= "\udfff" for letter in text)),
        st.sampled_from(["' OR '1'='1", "'; DROP TABLE people; --", ":name", "%s", "\\", "\0", '"', "ada"]),
    ),
    number=st.one_of(st.integers(-(2**70), 2**70), st.sampled_from([0, -1, 2**31, 2**63])),
)
def test_no_value_is_ever_taken_for_sql(place: Any, serving: Serve, name: str, number: int) -> None:
    """It finds what equals it, or is refused; the table is what it was."""
    comment = "/*\n[parameters]\nname = 'text'\nnumber = 'int'\n*/\n"
    found = serving(place.url, one=f"{comment}SELECT id FROM people WHERE name = :name OR id = :number", people=ALL)
    try:
        ids = found["one"](name=name, number=number).column("id").to_pylist()
    except StatementError as error:
        assert str(error)  # noqa: PT017  # refusing is one of two right answers
    else:
        assert ids == [row for row in (1, 2, 3) if row == number or {1: "ada", 2: "bob", 3: "eve"}[row] == name]
    assert found["people"]().num_rows == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/*\ntitel = 'x'\n*/ SELECT 1", "unknown key 'titel'; did you mean 'title'?"),
        ("/*\ntitle = \n*/ SELECT 1", "is not TOML"),
        ("/*\nmax_rows = 'many'\n*/ SELECT 1", "max_rows = 'many': expected int"),
        ("/*\nmax_rows = 0\n*/ SELECT 1", "expected at least 1"),
        ("/*\nmax_rows = true\n*/ SELECT 1", "max_rows = True: expected int"),
        ("/*\ncut = 'off'\n*/ SELECT 1", "expected 'mark' or 'refuse'"),
        ("/*\ntime_limit = 'soon'\n*/ SELECT 1", "time_limit = 'soon'"),
        ("/*\nmime_type = 'csv'\n*/ SELECT 1", "csv"),
        ("/*\n[parameters]\nn = 'int'\n*/ SELECT 1", "does not use :n"),
        ("SELECT :n", "the SQL uses :n, which is not declared; no parameter is declared"),
        (
            "/*\n[parameters]\nnum = 'int'\n*/ SELECT :num + :nun",
            "uses :nun, which is not declared; did you mean",
        ),
        ("/*\n[parameters]\nn = 'integer'\n*/ SELECT :n", "type 'integer'"),
        ("/*\n[parameters]\nn = { default = 1 }\n*/ SELECT :n", "has no type"),
        ("/*\n[parameters]\nN = 'int'\n*/ SELECT :N", "can't be called 'N'"),
        ("/*\n[parameters]\nwatermark = 'int'\n*/ SELECT :watermark", "can't be called 'watermark'"),
        ("/*\nwatermark = 'DELETE FROM people'\n*/ SELECT 1", "bad.sql: watermark: DELETE"),
        ("/*\nwatermark = 'SELECT :n'\n[parameters]\nn = 'int'\n*/ SELECT :n", "can't take parameters"),
        ("/*\ndatabase = 'other'\n*/ SELECT 1", "no database is called 'other'"),
    ],
)
def test_a_wrong_file_says_what_would_be_right(sqlite: Any, serving: Serve, text: str, words: str) -> None:
    """And which file it is."""
    bad = serving(sqlite.url, bad=text)["bad"]
    assert isinstance(bad, RaveError)
    assert words in str(bad)


def test_arguments_are_checked(sqlite: Any, serving: Serve) -> None:
    """By type and by name."""
    people = serving(sqlite.url, people=BY_NAME)["people"]
    for wrong in (
        {},
        {"names": ["a"], "least": "x"},
        {"names": ["a"], "more": 1},
        {"names": ["a"], "watermark": "old"},
    ):
        with pytest.raises(ArgumentError):
            people(**wrong)


def test_a_database_that_is_away_is_an_error_without_its_password(serving: Serve, postgresql: Any) -> None:
    """In time; once it is back the same operation works."""
    people = serving(postgresql.url, people="SELECT 1 AS one")["people"]
    assert people().num_rows == 1
    postgresql.stop()
    try:
        with pytest.raises(DatabaseError) as caught:
            people(watermark="current")
        assert "'default' can't be reached" in str(caught.value)
        assert "s3cret" not in str(caught.value)
        assert "s3cret" not in repr(people.explain())
    finally:
        postgresql.start()
    assert people().num_rows == 1


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:////nowhere/x.db", "there is no file /nowhere/x.db"),
        ("nonsense", "has no valid URL"),
        ("oracle://scott:s3cret@localhost/x", "no driver for oracle"),
        ("postgresql+psycopg://rave:s3cret@127.0.0.1:1/x", "can't be reached"),
        ("sqlite:///${NOT_SET}/x.db", "the variable NOT_SET, which is not set"),
    ],
)
def test_a_wrong_url_is_told_without_its_password(serving: Serve, url: str, words: str) -> None:
    """When the query is asked, or made."""
    found = serving(url, one="SELECT 1 AS one")["one"]
    if isinstance(found, RaveError):
        error: BaseException = found
    else:
        with pytest.raises(DatabaseError) as caught:
            found()
        error = caught.value
    assert words in str(error)
    assert "s3cret" not in str(error)


def test_another_database_is_another_key(tmp_path: Any, sqlite: Any, serving: Serve) -> None:
    """Two that are called alike do not share results; two users of one database do."""
    import shutil

    first = serving(sqlite.url, people=ALL)["people"].key().text
    shutil.copy2(tmp_path / "people.sqlite", tmp_path / "copy.sqlite")
    assert serving(f"sqlite:///{tmp_path}/copy.sqlite", people=ALL)["people"].key().text != first
    assert serving(sqlite.url, people=ALL)["people"].key().text == first


def test_an_edit_of_the_code_makes_another_version(sqlite: Any, serving: Serve) -> None:
    """All that runs here for an answer counts beside the SQL, so a mended conversion is not answered from before."""
    made = serving(sqlite.url, people=BY_NAME, all=ALL)
    assert uncounted_code(made["people"], names=["ada"], least=0) == []
    versions = {made[name].resolved().version.text for name in made}
    assert len(versions) == 2
    assert "rave_sql.arrow:to_table" in made["all"].resolved().version.nodes


def test_threads_share_a_database(place: Any, serving: Serve) -> None:
    """Each gets its own answer."""
    people = serving(place.url, people=BY_NAME)["people"]
    answers: dict[int, list[int]] = {}

    def ask(number: int) -> None:
        answers[number] = people(names=["ada", "bob", "eve"], least=number % 4).column("id").to_pylist()

    threads = [threading.Thread(target=carry(ask), args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: [each for each in (1, 2, 3) if each >= number % 4] for number in range(12)}


def test_reading_needs_no_known_dialect() -> None:
    """An unknown one is read as standard SQL."""
    check_reads("SELECT a FROM b UNION ALL SELECT 1", "firebird", "x.sql")
    with pytest.raises(QueryError):
        check_reads("DELETE FROM b", "firebird", "x.sql")


def test_queries_that_another_user_may_change_are_refused(sqlite: Any, serving: Serve, tmp_path: Path) -> None:
    """One file alone, or all of them; they run with the rights of the database's user."""
    assert serving(sqlite.url, a="SELECT 1 AS n", b="SELECT 2 AS n")["a"]().num_rows == 1
    directory = tmp_path / "queries"
    (directory / "b.sql").chmod(0o666)
    made = queries(directory, namespace="tried")
    assert isinstance(made["a"], Operation)
    assert "b.sql is refused" in str(made["b"])
    assert f"rave config trust {directory}" in str(made["b"])
    directory.chmod(0o777)
    with pytest.raises(ConfigurationError, match="are refused"):
        queries(directory, namespace="tried")
