"""What a configuration may say, and how its mistakes are named."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner
from rave_monitor.commands import monitor
from rave_monitor.configuration import MonitorConfig, MonitorConfigError

WRONG = """\
sample_period = "fast"
colour = 3

[[readers]]
kind = "line"
path = "a.log"

[[readers]]
kind = "csv"
path = 3

[[processors]]
kind = "counter"

[[processors]]
kind = "top"
name = "a"
fields = "x"

[[processors]]
kind = "quantiles"
name = "a"
field = "x"
quantiles = [2]

[[processors]]
kind = "missing_module:Thing"
name = "b"
"""


def mistakes_in(path: Path, text: str) -> list[str]:
    """What is wrong with a configuration, without the directory."""
    path.write_text(text)
    with pytest.raises(MonitorConfigError) as caught:
        MonitorConfig.load(path)
    return [each.replace(f"{path.parent}/", "") for each in caught.value.mistakes]


def test_all_mistakes_are_named_at_once_with_their_lines(tmp_path: Path) -> None:
    """And with what would be right."""
    found = mistakes_in(tmp_path / "m.toml", WRONG)
    wanted = {
        "m.toml:1: sample_period: bad duration 'fast'": "'90s'",
        "m.toml:2: unknown key 'colour'": "known: ",
        "m.toml:5: there is no kind 'line'": "did you mean 'lines'?",
        "m.toml:10: csv: path is 3": "expected str",
        "m.toml:12: a processor has no name": "add name",
        "m.toml:15: top: the argument 'field' is missing": "",
        "m.toml:18: top: unknown argument 'fields'": "did you mean 'field'?",
        "m.toml:20: quantiles: quantiles has [2.0]": "expected numbers from 0 to 1",
        "m.toml:22: the name 'a' is taken, in line 17": "give each its own",
        "m.toml:27: kind 'missing_module:Thing' can't be imported": "missing_module",
    }
    assert len(found) == len(wanted), found
    for line, (begin, right) in zip(found, wanted.items(), strict=True):
        assert line.startswith(begin)
        assert right in line


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("sample_period = ", "is no TOML"),
        ('readers = "app.log"', "write [[readers]]"),
        ('documents = "monitor.sqlite"', "expected a URL such as 'sqlite:///monitor.sqlite'"),
        ("name = 'a b'", "expected up to 64 letters"),
        ("", "there are no readers"),
        ('[[processors]]\nname = "a"\nkind = "pathlib:Path"', "expected a subclass of rave_monitor.Processor"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, text: str, wanted: str) -> None:
    """One at a time."""
    assert any(wanted in each for each in mistakes_in(tmp_path / "m.toml", text))


def test_paths_are_relative_to_the_configuration(tmp_path: Path) -> None:
    """Of files and of the database."""
    path = tmp_path / "m.toml"
    path.write_text(
        'documents = "sqlite:///m.sqlite"\n[[readers]]\nkind = "lines"\npath = "a.log"\n'
        '[[processors]]\nkind = "counter"\nname = "n"\nwhere = {line = "x"}\n'
    )
    found = MonitorConfig.load(path)
    assert found.documents == f"sqlite:///{tmp_path}/m.sqlite"
    assert found.readers[0].arguments == {"path": tmp_path / "a.log"}
    assert (found.sample_period, found.readers[0].name) == (1.0, "lines:a.log")


def test_check_prints_the_mistakes_and_exits_with_2(tmp_path: Path) -> None:
    """For people a line each, for programs as JSON."""
    path = tmp_path / "m.toml"
    path.write_text(WRONG)
    for more in ([], ["--json"]):
        result = CliRunner().invoke(monitor, ["check", str(path), *more])
        assert result.exit_code == 2
        assert "m.toml:27" in result.output
    assert len(json.loads(result.stdout)["mistakes"]) == 10
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert CliRunner().invoke(monitor, ["run", str(path)]).exit_code == 2
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before  # what starts later in this process can be stopped
    assert CliRunner().invoke(monitor, ["check", str(tmp_path / "none")]).exit_code == 2
