from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rave_core.documents import open_store


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["lab/add", "1", "2"], "3\n"),
        (["lab/add", "a=1", "b=2"], "3\n"),
        (["lab/add", "b=2", "1"], "3\n"),
        (["lab/add", "1"], "11\n"),
        (["lab/add", "a=-1"], "9\n"),
        (["lab/add", "--", "-1", "-2"], "-3\n"),
        (["lab/total", "numbers=1,2,3"], "6\n"),
        (["lab/total", "numbers=[1, 2]"], "3\n"),
        (["lab/total", "numbers=1", "numbers=5"], "6\n"),
        (["lab/words", "text"], "text\n"),
        (["lab/words", "a=b"], None),
        (["lab/words", "text=a=b"], "a=b\n"),
        (["lab/words", "two words"], "two words\n"),
        (["lab/nothing"], "null\n"),
        (["lab/later", "7"], "7\n"),
    ],
)
def test_arguments_are_read_by_name_and_by_place(
    shell: Callable[..., object], arguments: list[str], printed: str | None
) -> None:
    """NAME=VALUE, VALUE in order, lists, text with equal signs: each means what a call in Python would."""
    result = shell("run", *arguments)
    assert (result.exit_code, result.stdout) == ((0, printed) if printed is not None else (2, ""))


def test_without_a_typemap_arguments_are_json_or_else_text(shell: Callable[..., object]) -> None:
    """Numbers, lists and objects are read; what is no JSON stays text; more values and names go to * and **."""
    result = shell("run", "lab/echo", "1", "[2, 3]", "three", 'key={"a": null}', "extra=4", "also=NaN", "also=2")
    assert json.loads(result.stdout) == [1, [[2, 3], "three"], {"a": None}, {"extra": 4, "also": ["NaN", 2]}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lab/ad", "1"], "no operation is called 'lab/ad'; did you mean 'lab/add'?"),
        (["lab"], "no operation is called 'lab'; 'lab' is a namespace, with lab/add, lab/brief, "),
        (["total", "1"], "no operation is called 'total'; did you mean 'lab/total'?"),
        (["lab/add"], "lab/add: missing a required argument: 'a'; its arguments are"),
        (["lab/add", "1", "2", "3"], "lab/add: '3' is one value too many; its arguments are (a, b=10)"),
        (["lab/add", "a=x"], "lab/add: argument 'a' is 'x', wanted int"),
        (["lab/add", "1", "c=3"], "lab/add: there is no argument 'c'; known: a, b"),
        (["lab/add", "a=1", "a=2"], "lab/add: argument 'a' is given 2 times, wanted int once"),
        (["lab/add", "1", "--bad"], "No such option"),
        (["lab/add", "1", "--dry-run", "--refresh"], "--dry-run runs nothing, so it can't refresh"),
        (["lab/add", "1", "--format", "csv"], "--format csv needs a table, not int"),
        (["lab/add", "1", "-o", "no/such/file"], "there is no directory"),
        (["lab/add", "1", "-o", "."], "it is a directory"),
        (["lab/sheet", "1", "--format", "csv"], "makes a file of its own form"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(
    shell: Callable[..., object], arguments: list[str], message: str
) -> None:
    """What is wrong, which name, what would be right; nothing on standard output, no traceback."""
    result = shell("run", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("rave: error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_exception_of_the_operation_is_one_line_and_exit_code_1(shell: Callable[..., object]) -> None:
    """Its type and message are told, in one line whatever the message."""
    result = shell("run", "lab/fail", "it is\nbroken")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "rave: lab/fail failed: ValueError: it is broken\n"


def test_verbose_shows_the_traceback(shell: Callable[..., object]) -> None:
    """With -v whoever wrote the operation sees where it failed."""
    result = shell("-v", "run", "lab/fail", "broken")
    assert result.exit_code == 1
    assert "raise ValueError(message)" in result.stderr
    assert result.stderr.endswith("rave: lab/fail failed: ValueError: broken\n")


def test_the_second_run_is_a_hit_and_a_refresh_is_not(shell: Callable[..., object]) -> None:
    """The status line tells, with -v, how the answer came about."""
    statuses = [
        shell("-v", "run", "lab/add", "1", *more).stderr.split(": ")[-1].split(",")[0]
        for more in ([], [], ["--refresh"], ["--deep-refresh"])
    ]
    assert statuses == ["miss", "hit", "refreshed", "refreshed"]


def test_what_is_not_kept_is_said_to_be(shell: Callable[..., object]) -> None:
    """The status line of an operation under nocache."""
    assert shell("-v", "run", "lab/never").stderr == "rave: lab/never: computed, not stored\n"


@pytest.mark.parametrize("option", ["--dry-run", "--only-cached"])
def test_a_dry_run_gives_what_is_kept_or_exit_code_3(shell: Callable[..., object], option: str) -> None:
    """Nothing is run; a kept None counts as found."""
    assert shell("run", "lab/nothing", option).exit_code == 3
    assert shell("run", "lab/nothing").exit_code == 0
    result = shell("run", "lab/nothing", option)
    assert (result.exit_code, result.stdout) == (0, "null\n")


def test_a_file_operation_prints_its_path(shell: Callable[..., object]) -> None:
    """The path is that of the kept file."""
    path = Path(shell("run", "lab/sheet", "2").stdout.strip())
    assert path.read_text() == "n\n0\n1\n"


def test_a_file_is_copied_and_kept(shell: Callable[..., object], keys: Callable[..., list[str]]) -> None:
    """-o gives a copy of one's own, with usual permissions; the result is kept as usual."""
    Path("out.csv").write_text("old")
    Path("out.csv").chmod(0o640)
    result = shell("run", "lab/sheet", "2", "-o", "out.csv")
    assert (result.exit_code, result.stdout) == (0, "")
    assert Path("out.csv").read_text() == "n\n0\n1\n"
    assert Path("out.csv").stat().st_mode & 0o777 == 0o640
    assert len(keys("lab/sheet/")) == 1
    assert [path.name for path in Path().glob(".rave-*")] == []


def test_a_file_can_go_to_standard_output(shell: Callable[..., object]) -> None:
    """-o - writes the file itself in place of its path."""
    assert shell("run", "lab/sheet", "1", "-o", "-").stdout == "n\n0\n"


def test_a_directory_operation_prints_its_path(shell: Callable[..., object]) -> None:
    """The path is that of the kept directory."""
    path = Path(shell("run", "lab/sheets", "2").stdout.strip())
    assert (path / "1" / "sheet.csv").read_text() == "n\n1\n"


@pytest.mark.parametrize("exists", [False, True], ids=["new", "empty"])
def test_a_directory_is_copied_and_kept(
    shell: Callable[..., object], keys: Callable[..., list[str]], exists: bool
) -> None:
    """-o gives a copy of one's own, which can be written to; the result is kept as usual."""
    if exists:
        Path("out").mkdir()
    result = shell("run", "lab/sheets", "2", "-o", "out")
    assert (result.exit_code, result.stdout) == (0, "")
    assert Path("out", "1", "sheet.csv").read_text() == "n\n1\n"
    assert Path("out", "1", "sheet.csv").stat().st_mode & 0o777 == 0o644
    assert Path("out", "1").stat().st_mode & 0o777 == Path("out", "run").stat().st_mode & 0o777 == 0o755
    assert len(keys("lab/sheets/")) == 1
    assert [path.name for path in Path().glob(".rave-*")] == []


def test_a_directory_replaces_nothing(shell: Callable[..., object], keys: Callable[..., list[str]]) -> None:
    """-o refuses what is there before anything is run."""
    Path("out").mkdir()
    Path("out", "precious").touch()
    result = shell("run", "lab/sheets", "2", "-o", "out")
    assert result.exit_code == 2
    assert "is not empty" in result.stderr
    assert os.listdir("out") == ["precious"]
    assert keys("lab/sheets/") == []


def test_a_directory_can_be_an_archive(shell: Callable[..., object]) -> None:
    """-o - writes it as a tar file; so does a name that ends so, which is replaced as usual."""
    Path("out.tar").write_text("old")
    assert shell("run", "lab/sheets", "1", "-o", "out.tar").exit_code == 0
    assert Path("out.tar").read_bytes() == shell("run", "lab/sheets", "1", "-o", "-").stdout_bytes
    with tarfile.open("out.tar") as archive:
        assert archive.getnames() == ["0", "0/sheet.csv", "run"]


def test_bytes_and_text_come_out_as_they_are(shell: Callable[..., object]) -> None:
    """Bytes that are no text pass unchanged through a pipe; a text gets one end of line, not two."""
    assert shell("run", "lab/raw", "text=x").stdout_bytes == b"\x00\xffx"
    assert shell("run", "lab/words", "text=a\n").stdout == "a\n"


TABLE = "name,age,height\nAda,36,1.65\nGrace,85,\n"


def test_a_table_is_csv_in_a_pipe(shell: Callable[..., object]) -> None:
    """Without --format a table that no person reads is CSV."""
    assert shell("run", "lab/people", "all").stdout == TABLE


def test_a_table_takes_every_format(shell: Callable[..., object]) -> None:
    """JSON, CSV, Arrow, Parquet and a table for people hold the same rows."""
    import pyarrow.ipc
    import pyarrow.parquet

    rows = [{"name": "Ada", "age": 36, "height": 1.65}, {"name": "Grace", "age": 85, "height": None}]
    assert json.loads(shell("run", "lab/people", "all", "--format", "json").stdout) == rows
    assert shell("run", "lab/people", "all", "--format", "csv").stdout == TABLE
    assert shell("run", "lab/people", "all", "--format", "text").stdout == TABLE
    arrow = shell("run", "lab/people", "all", "--format", "arrow").stdout_bytes
    assert pyarrow.ipc.open_file(arrow).read_all().to_pylist() == rows
    parquet = shell("run", "lab/people", "all", "--format", "parquet").stdout_bytes
    assert pyarrow.parquet.read_table(pyarrow.BufferReader(parquet)).to_pylist() == rows
    lines = shell("run", "lab/people", "all", "--format", "table").stdout.splitlines()
    assert lines == ["name   age  height", "Ada     36    1.65", "Grace   85"]


@pytest.mark.parametrize(
    ("name", "start"), [("x.json", b"[\n"), ("x.csv", b"name,"), ("x.parquet", b"PAR1"), ("x", b"name,")]
)
def test_the_suffix_of_the_file_chooses_the_format(shell: Callable[..., object], name: str, start: bytes) -> None:
    """A table in a .json file is JSON, in a .parquet file Parquet; without a known suffix it is CSV."""
    assert shell("run", "lab/people", "all", "-o", name).exit_code == 0
    assert Path(name).read_bytes().startswith(start)


def test_settings_can_be_given_in_front_of_the_command(shell: Callable[..., object], tmp_path: Path) -> None:
    """--set and --config choose other caches, so that the default ones stay empty."""
    Path("other.toml").write_text(f'cache = "file://{tmp_path}/other"')
    assert shell("--set", f"cache=file://{tmp_path}/given", "run", "lab/words", "x").exit_code == 0
    assert any((tmp_path / "given" / "lab").iterdir())
    result = shell("--config", "other.toml", "run", "lab/words", "x", env={"RAVE_CACHE": ""})
    assert result.exit_code == 0
    assert any((tmp_path / "other" / "lab").iterdir())
    assert not (tmp_path / "data" / "lab").exists()


def test_a_store_in_trouble_costs_a_warning_and_not_the_answer(shell: Callable[..., object], tmp_path: Path) -> None:
    """Where nothing can be kept the result still comes, and standard error says why it is not kept."""
    (tmp_path / "blocked").write_text("a file where a directory should be")
    result = shell("--set", f"cache=file://{tmp_path}/blocked", "run", "lab/words", "x")
    assert (result.exit_code, result.stdout) == (0, "x\n")
    assert "rave: warning: " in result.stderr
    assert "is answered without it" in result.stderr


def test_arguments_name_slates_of_the_user(
    shell: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For ``run``, ``explain`` and ``plan``; without a user, or for another one, they are refused."""
    url = f"sqlite:///{tmp_path}/slates.sqlite"
    monkeypatch.setenv("RAVE_DOCUMENTS", url)
    with open_store(url) as store:
        store.save("slate:ada", "page", b'{"rows": 50}', expect=0, author="ada")
    asked = ("lab/weighed", "config=slate:page")
    assert json.loads(shell("run", *asked, "--user", "ada", "--format", "json").stdout) == {"rows": 50}
    assert "lab/weighed(config={'rows': 50})" in shell("explain", *asked, "--user", "ada").stdout
    assert "the result is stored" in shell("plan", *asked, "--user", "ada").stdout
    for command in ("run", "explain", "plan"):
        for user, reason in (
            ((), "nobody is signed in"),
            (("--user", "bob"), "you keep nothing under the name 'page'"),
        ):
            refused = shell(command, *asked, *user)
            assert (refused.exit_code, reason in refused.stderr) == (2, True)
