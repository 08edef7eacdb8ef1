from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rave_core.cli.main import COMMANDS, rave


def _json(result: Any) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_operations_are_listed(shell: Callable[..., Any]) -> None:
    """One line for each: name, parameters with the optional ones in brackets, what it makes, what it is."""
    lines = shell("list", "lab").stdout.splitlines()
    assert lines[0].split() == ["OPERATION", "PARAMETERS", "MAKES", "WHAT", "IT", "IS"]
    assert "lab/add      a [b]                       value      The sum of two numbers." in lines
    assert "lab/echo     value *rest [key] **others  value      What it was given." in lines
    assert any(line.startswith("lab/sheet ") and " csv file " in line for line in lines)
    assert any(line.startswith("lab/sheets ") and " directory " in line for line in lines)


def test_of_many_parameters_the_list_shows_the_first(shell: Any) -> None:
    """And says how many it leaves out; one more than the list shows is shown, which is as short."""
    many = {f"with_{count}": ", ".join(f"p{number}=0" for number in range(count)) for count in (9, 60)}
    bodies = "".join(f"@op\ndef {name}({given}): pass\n" for name, given in many.items())
    exported = "{" + ", ".join(f'"{name}": {name}' for name in many) + "}"
    shell.install(
        "wide", f"from rave_core import op\n{bodies}__export__ = {exported}\n", "[rave.namespaces]\nwide = wide\n"
    )
    sixty, nine = shell("list", "wide").stdout.splitlines()[1:]
    assert " [p7] [p8]  " in nine
    assert " [p6] [p7] … 52 more  " in sixty


def test_the_list_as_json_has_its_documented_keys(shell: Callable[..., Any]) -> None:
    """The facts of the list, and the problems, which are none here."""
    document = _json(shell("list", "lab", "--json"))
    assert document["problems"] == []
    assert document["operations"][0] == {
        "name": "lab/add",
        "summary": "The sum of two numbers.",
        "parameters": ["a", "b"],
        "kind": "data",
        "mime_type": "application/octet-stream",
        "tags": ["sums"],
    }


def test_an_unknown_namespace_is_refused_with_the_nearest(shell: Callable[..., Any]) -> None:
    """A slip of the finger gets a hint."""
    result = shell("list", "lob")
    assert result.exit_code == 2
    assert result.stderr == "rave: error: no namespace is called 'lob'; did you mean 'lab'?\n"


def test_a_broken_namespace_is_a_warning_and_the_rest_is_listed(shell: Any) -> None:
    """One that can't be imported is told on standard error, and in the JSON."""
    shell.install("broken", "raise RuntimeError('no luck')", "[rave.namespaces]\nbroken = broken\n")
    result = shell("list")
    assert result.exit_code == 0
    assert "lab/add" in result.stdout
    assert "rave: warning: namespace broken (broken): could not be loaded: RuntimeError: no luck" in result.stderr
    problems = _json(shell("list", "--json"))["problems"]
    assert [problem["name"] for problem in problems] == ["broken"]
    refused = shell("list", "broken")
    assert refused.exit_code == 2
    assert "no luck" in refused.stderr


def test_an_operation_is_described(shell: Callable[..., Any]) -> None:
    """Signature, docstring, parameters with types and defaults, keeping, and how much is kept."""
    shell("run", "lab/add", "1")
    text = shell("describe", "lab/add").stdout
    assert text.startswith("lab/add(a, b=10)\n  The sum of two numbers.\n\n  More about it.\n")
    assert "a          int   (required)" in text
    assert "version  explicit 1 (" in text
    assert "stored   1 entry, " in text


def test_a_description_as_json_has_its_documented_keys(shell: Callable[..., Any]) -> None:
    """Parameters come with their JSON Schema."""
    shell("run", "lab/add", "1")
    document = _json(shell("describe", "lab/add", "--json"))
    assert document["parameters"] == [
        {"name": "a", "type": "int", "required": True, "default": None, "schema": {"type": "integer"}},
        {"name": "b", "type": "int", "required": False, "default": 10, "schema": {"type": "integer", "default": 10}},
    ]
    assert document["entries"] == {"count": 1, "bytes": document["entries"]["bytes"], "other_versions": 0}
    assert document["tags"] == ["sums"]
    assert document["expires"] == "forever"


def test_what_an_author_says_for_pages_is_described(shell: Any) -> None:
    """Roles that parameters take, charts, groups and the time; an operation without any has none of these lines."""
    shell.install(
        "load",
        "from rave_core import op\n"
        "@op(takes={'host': 'address'}, views=[{'title': 'By hour', 'x': 'ts', 'y': 'load'}],\n"
        "    groups={'More': ['low', 'high']}, time_range=('start', 'end', 'step'))\n"
        "def load(host='', low=0, high=9, start='', end='', step=''): pass\n"
        "__export__ = {'load': load}\n",
        "[rave.namespaces]\nload = load\n",
    )
    text = shell("describe", "load/load").stdout
    for line in ("takes    host: address", "charts   By hour (line x=ts y=load)", "groups   More: low, high"):
        assert line in text
    assert "time     from start to end, in steps of step" in text
    document = _json(shell("describe", "load/load", "--json"))
    assert (document["takes"], document["groups"]) == ({"host": "address"}, {"More": ["low", "high"]})
    assert document["views"] == [{"title": "By hour", "mark": "line", "x": "ts", "y": "load", "series": "", "down": ""}]
    assert (document["behind"], document["time_range"]) == (None, ["start", "end", "step"])
    assert "takes" not in shell("describe", "lab/add").stdout


def test_every_setting_is_shown_with_its_origin(shell: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, a variable and a switch each show as the place that a value came from."""
    Path("rave.toml").write_text('data_expire_after = "2h"')
    monkeypatch.setenv("RAVE_STRICT", "yes")
    document = _json(shell("--set", "version=mtime", "config", "--json"))["settings"]
    assert document["data_expire_after"]["value"] == 7200
    assert document["data_expire_after"]["origin"].startswith("rave.toml:/")
    assert document["strict"] == {"value": True, "origin": "environment RAVE_STRICT"}
    assert document["version"] == {"value": "mtime", "origin": "given"}
    assert document["lease_time"] == {"value": 15, "origin": "default"}
    text = shell("--set", "version=mtime", "config").stdout
    assert "data_expire_after      7200 s" in text
    assert "products_expire_after  never" in text


def test_passwords_are_hidden(shell: Callable[..., Any]) -> None:
    """Neither the table nor the JSON gives away what a URL or a plugin's table hides."""
    given = ["--set", 'plugins.lab.password="hunter2"', "--set", "plugins.lab.size=3"]
    for more in ([], ["--json"]):
        result = shell(*given, "config", *more)
        assert result.exit_code == 0
        assert "hunter2" not in result.stdout
        assert "***" in result.stdout
    assert _json(shell(*given, "config", "--json"))["settings"]["plugins"]["value"]["lab"]["size"] == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("cach=x", "unknown setting 'cach': did you mean 'cache'?"),
        ("strict=perhaps", "'strict' is 'perhaps': write true or false"),
        ("strict", "--set 'strict': expected NAME=VALUE"),
        ("namespaces=x", "'namespaces' is 'x'"),
    ],
)
def test_a_wrong_setting_is_refused(shell: Callable[..., Any], given: str, message: str) -> None:
    """The message names the setting and what would be right."""
    result = shell("--set", given, "config")
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize("command", ["serve", "config", "no-such-command"])
def test_a_mistake_in_the_settings_is_told_as_that(shell: Callable[..., Any], command: str) -> None:
    """By a command of a plugin, too: not that the command is unknown, which nobody knows then. The help still comes."""
    Path("rave.toml").write_text("cach = 'memory://'")
    failed = shell(command)
    assert failed.exit_code == 2
    assert "unknown setting 'cach': did you mean 'cache'?" in failed.stderr
    assert "No such command" not in failed.stderr
    shown = shell("--help")
    assert shown.exit_code == 0
    assert "warning: the commands of plugins are left out: rave.toml" in shown.stderr
    assert " run " in shown.stdout


def test_plugins_are_shown_with_what_they_add(shell: Callable[..., Any]) -> None:
    """Our own backends are a plugin like any other."""
    document = _json(shell("plugins", "--json"))
    assert {"name": "backends", "origin": "rave_backends.plugin"}.items() <= document["plugins"][0].items()
    assert {"name": "file", "origin": "rave_backends"} in document["backends"]
    assert {"name": "pickle", "origin": "rave_core"} in document["codecs"]
    assert "lab" in [space["name"] for space in document["namespaces"]]
    assert document["problems"] == []
    text = shell("plugins").stdout
    assert "rave_register_" not in text
    assert "register_backends register_buses register_converters register_documents" in text


def test_a_broken_plugin_is_shown_and_fatal_only_if_asked(shell: Any) -> None:
    """The rest works; --strict makes of it an exit code for scripts."""
    shell.install(
        "bad",
        "from rave_core.hookspecs import hookimpl\n@hookimpl\ndef rave_regster_codecs(registry): ...\n",
        "[rave.plugins]\nbad = bad\n",
    )
    result = shell("plugins")
    assert result.exit_code == 0
    assert "rave: warning: bad (bad): " in result.stderr
    assert "rave_register_codecs" in result.stderr
    assert shell("plugins", "--strict").exit_code == 1
    assert [problem["name"] for problem in _json(shell("plugins", "--json"))["problems"]] == ["bad"]
    assert shell("run", "lab/add", "1").stdout == "11\n"
    assert shell("--set", "load_error_fatal=true", "run", "lab/add", "1").exit_code == 1


def test_every_command_has_the_line_that_the_help_shows() -> None:
    """The lines of the help are written apart, so that it need not import the commands; they agree."""
    import click

    context = click.Context(rave)
    for name, (_, line) in COMMANDS.items():
        command = rave.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.get_short_help_str(200).startswith(line.rstrip("."))


def test_help_lists_every_command(shell: Callable[..., Any]) -> None:
    """-h and --help are the same."""
    text = shell("--help").stdout
    assert all(f"\n  {name} " in text for name in COMMANDS)
    assert shell("-h").stdout == text


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(shell: Callable[..., Any], name: str) -> None:
    """Each is for rave."""
    result = shell("completion", name)
    assert result.exit_code == 0
    assert "_RAVE_COMPLETE" in result.stdout


def test_a_command_of_a_plugin_is_added(shell: Any) -> None:
    """It shows in the help, and runs; what it raises is handled as for our own."""
    shell.install(
        "extra",
        """
import click
from rave_core.errors import UnknownNameError
from rave_core.hookspecs import hookimpl

@click.command()
@click.argument("what")
def greet(what):
    "Greet someone."
    if what == "nobody":
        raise UnknownNameError("nobody is there")
    click.echo(f"Hello, {what}!")

@hookimpl
def rave_register_commands(registry):
    registry.add("greet", greet, origin=__name__)
    registry.add("run", greet, origin=__name__)
    registry.add("odd", 42, origin=__name__)
""",
        "[rave.plugins]\nextra = extra\n",
    )
    assert shell("greet", "world").stdout == "Hello, world!\n"
    failed = shell("greet", "nobody")
    assert failed.exit_code == 2
    assert failed.stderr.endswith("rave: error: nobody is there\n")
    shown = shell("--help")
    assert re.search(r"greet +Greet someone\.", shown.stdout)
    assert "command 'run' of plugin extra is left out: rave has a command of that name" in shown.stderr
    assert "command 'odd' of plugin extra is left out: 42 is not a click command" in shown.stderr
    assert shell("run", "lab/add", "1").stdout == "11\n"
