"""The reference is complete: whatever has a name that users rely on stands on its page, and nothing else does.

The names come from the code, so that a new hook, setting, error, command, … without a line in the reference fails here.
"""

from __future__ import annotations

import importlib
import inspect
import re
import tomllib
import typing
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import click
import pytest

import rave_core
import rave_http.hookspecs
import rave_http.plugin
import rave_http.plugins.discovery
from rave_backends.filesystem.backend import FilesystemBackend
from rave_backends.memory.backend import MemoryBackend
from rave_backends.object_store.backend import ObjectStoreBackend
from rave_core import codecs, errors, expiry, hookspecs, testing
from rave_core.backend import StoreURL
from rave_core.converters import named
from rave_core.model import Entry, Options, Outcome, Status
from rave_core.operations import decorators
from rave_core.plugins import discovery
from rave_core.registry import Registry
from rave_core.settings import kinds
from rave_core.settings.places import File
from rave_core.settings.settings import known_settings, variable_of
from rave_core.telemetry import statistics
from rave_core.versions import strategies
from rave_http.cli.get import rave_get
from rave_http.cli.raved import raved
from rave_http.settings import known_service_settings

Page: typing.TypeAlias = Callable[[str], str]
HOUSE = ["rave_core", "rave_backends", "rave_http"]
HEADING = "All settings of the service"
TYPES: dict[type, str] = {
    kinds.Word: "text",
    kinds.Text: "text",
    kinds.Count: "number",
    kinds.Size: "size",
    kinds.Duration: "duration",
    kinds.OptionalDuration: "duration, or `never`",
    kinds.Words: "list",
    kinds.Flag: "flag",
    kinds.Table: "table",
    kinds.Tables: "tables",
    File: "path",
}


def assert_told(names: typing.Iterable[str], text: str) -> None:
    """Every name stands in ``text`` as code."""
    spoken = {word for code in re.findall(r"`([^`\n]+)`", text) for word in (code, *re.split(r"[^\w.-]+", code))}
    missing = [name for name in names if name not in spoken]
    assert not missing, f"missing from the page: {missing}"


def rows(text: str, heading: str) -> Iterator[list[str]]:
    """The cells of the table rows below a heading, up to the next heading."""
    section = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"no heading {heading!r}"
    for line in section[1].splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def test_every_hook_has_a_section_and_no_section_is_of_another(page: Page) -> None:
    """Each section has a parameter list like the specification, and an implementation."""
    text = page("reference/hooks.md")
    specs = {**vars(hookspecs), **vars(rave_http.hookspecs)}
    hooks = {name: spec for name, spec in specs.items() if name.startswith("rave_")}
    sections = dict(re.findall(r"^### `(\w+)`\n\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    assert sections.keys() == hooks.keys()
    for name, section in sections.items():
        assert section.startswith(f"`({', '.join(inspect.signature(hooks[name]).parameters)})`"), name
        assert f"def {name}(" in section, name


def test_every_setting_has_a_row_with_its_variable_and_default(page: Page) -> None:
    """In the order of the code; a default in code marks is what the setting becomes."""
    told = {cells[0].strip("`"): cells for cells in rows(page("reference/settings.md"), "All settings")}
    assert list(told) == list(known_settings())
    for name, setting in known_settings().items():
        _, variable, default, _ = told[name]
        assert variable == (f"`{variable_of(name)}`" if setting.in_environment else "–")
        if re.fullmatch("`[^`]+`", default):
            given = setting.convert(setting.read(default.strip("`")), Path())
            assert given == setting.convert(setting.default(), Path()), name
        else:
            assert " " in default or not setting.default(), name


def test_every_setting_of_the_service_has_a_row_with_its_type_and_default(page: Page) -> None:
    """In the order of the code; a default in code marks is what the setting becomes."""
    told = {cells[0].strip("`"): cells for cells in rows(page("reference/service-settings.md"), HEADING)}
    assert list(told) == list(known_service_settings())
    for name, setting in known_service_settings().items():
        _, kind, default, _ = told[name]
        assert kind == (_words(setting) if isinstance(setting, kinds.Choice) else TYPES[type(setting)]), name
        if re.fullmatch("`[^`]+`", default):
            given = setting.convert(setting.read(default.strip("`")), Path())
            assert given == setting.convert(setting.default(), Path()), name
        else:
            assert " " in default or not setting.default(), name


def _words(choice: kinds.Choice) -> str:
    *words, last = (f"`{word}`" for word in choice.words)
    return f"{', '.join(words)} or {last}"


@pytest.mark.parametrize(
    ("heading", "url", "backend"),
    [
        ("`memory://`", "memory://", MemoryBackend),
        ("`file://`", "file://{}/store", FilesystemBackend),
        ("`s3://`", "s3://bucket/prefix", ObjectStoreBackend),
    ],
)
def test_every_option_of_a_backend_url_has_a_row(
    heading: str, url: str, backend: typing.Any, page: Page, tmp_path: Path
) -> None:
    """What the backend asks its URL for is what the table lists."""
    opened = StoreURL(url.format(tmp_path))
    backend.from_url(opened).close()
    told = {cells[0].strip("`") for cells in rows(page("reference/settings.md"), heading)}
    assert told == opened._known


def test_every_error_has_a_row_with_its_base(page: Page) -> None:
    """And so have the two roots a mention."""
    text = page("reference/errors.md")
    tree = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and name in errors.__all__}
    told = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|", text, re.MULTILINE))
    assert told.keys() == tree.keys() - {"RaveError", "RaveWarning"}
    for name, base in told.items():
        assert base in [kind.__name__ for kind in tree[name].__mro__[1:]], name
    assert_told(["RaveError", "RaveWarning"], text)


def test_every_keyword_of_op_has_a_row(page: Page) -> None:
    """In the order of the signature; op_file has the same ones after its ``kind``."""
    full = {name: typing.get_overloads(getattr(decorators, name))[-1] for name in ("op", "op_file")}
    keywords = [list(inspect.signature(overload).parameters) for overload in full.values()]
    assert ["kind", *keywords[0]] == keywords[1]
    assert [cells[0].strip("`") for cells in rows(page("reference/decorators.md"), "`op`")] == keywords[0]


def test_every_option_field_and_status_has_a_row(page: Page) -> None:
    """Options by their keyword in a call; the fields of an outcome, then the statuses."""
    text = page("reference/options.md")
    options = [cells[0].strip("`").partition("=")[0] for cells in rows(text, "Options of a call")]
    assert options == [f"rave_{field.name}" for field in fields(Options)]
    told = [cells[0].strip("`") for cells in rows(text, "`Outcome`")]
    assert told == [*Outcome.__struct_fields__, *Status]
    assert_told([field.name for field in fields(Options)], text)


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (expiry.BUILTIN, "expiration.md"),
        (["duration_strategy", "crossover_strategy", *(f for f in expiry.Request.__struct_fields__)], "expiration.md"),
        ([codec.name for codec in codecs.codecs.builtin_codecs()], "keys-and-entries.md"),
        ([*Entry.__struct_fields__], "keys-and-entries.md"),
        ([*statistics._new_namespace(rave_core.clock.SystemClock()), *statistics._new_record()], "statistics.md"),
        ([discovery.PLUGINS, rave_http.plugins.discovery.GROUP], "hooks.md"),
    ],
)
def test_every_name_is_told(names: typing.Iterable[str], name: str, page: Page) -> None:
    """Strategies, codecs, the fields of an entry, the statistics."""
    assert_told(names, page(f"reference/{name}"))


@pytest.mark.parametrize(
    ("names", "name", "heading"),
    [
        (named.BUILTIN, "typemaps.md", "Named converters"),
        (strategies.BUILTIN, "versions.md", "Strategies"),
    ],
)
def test_every_name_has_a_row(names: typing.Iterable[str], name: str, heading: str, page: Page) -> None:
    """Named converters and version strategies, in the order of the code."""
    assert [cells[0].strip("`") for cells in rows(page(f"reference/{name}"), heading)] == list(names)


def test_every_public_name_is_told(page: Page) -> None:
    """What ``rave_core`` and its testing kit export stands in the Python API, by a description or a link to one."""
    text = page("reference/python-api.md")
    described = set(re.findall(r"auto\w+:: [\w.]+\.(\w+)", text))
    exported = {*rave_core.__all__, *testing.__all__}
    assert_told(sorted(exported - described), text)


def commands(command: click.Command, context: click.Context, path: str) -> Iterator[tuple[str, click.Command]]:
    """Each command of our own that does something, with its full name; those of plugins are theirs to describe."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    if command.invoke_without_command and path != "rave":
        yield path, command
    main: ModuleType = importlib.import_module("rave_core.cli.main")
    service: Registry[click.Command] = Registry("command")
    rave_http.plugin.rave_register_commands(service)
    ours = [*main.COMMANDS, *service]
    for name in ours if path == "rave" else command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from commands(inner, click.Context(inner, parent=context), f"{path} {name}")


def test_every_command_has_a_section_with_its_options(page: Page) -> None:
    """And no section is of another command."""
    text = page("reference/commands.md")
    rave: click.Group = importlib.import_module("rave_core.cli.main").rave
    with click.Context(rave) as context:
        found = dict(commands(rave, context, "rave"))
    sections = dict(re.findall(r"^### `(rave [^`]+)`\n\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    assert sections.keys() == found.keys()
    for name, command in found.items():
        options = [option for each in command.params if isinstance(each, click.Option) for option in each.opts]
        assert_told([option for option in options if option not in ("-h", "--help")], sections[name])
    assert_told([option for each in rave.params for option in each.opts if option not in ("-h", "--help")], text)


@pytest.mark.parametrize(("name", "command"), [("raved", raved), ("rave-get", rave_get)])
def test_a_command_that_is_a_program_of_its_own_has_a_section_with_its_options(
    name: str, command: click.Command, page: Page
) -> None:
    """And the section tells of no other options."""
    found = re.search(rf"^### `{name}`\n\n(.*?)(?=^##|\Z)", page("reference/commands.md"), re.MULTILINE | re.DOTALL)
    assert found
    options = {option for each in command.params if isinstance(each, click.Option) for option in each.opts}
    assert_told(options, found[1])
    told = set(re.findall(r"`(--?[\w-]+)", "".join(re.findall(r"^\| `-.*?\|", found[1], re.MULTILINE))))
    assert told <= options


@pytest.mark.parametrize("package", HOUSE)
def test_the_packages_are_those_of_the_import_contracts(package: str, page: Page, root: Path) -> None:
    """From the top, row by row, with the same packages in each."""
    contracts = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    [layers] = [each["layers"] for each in contracts if each.get("containers") == [package]]
    [table] = re.findall(rf"^\| package of `{package}` \|.*?\n\n", page("explanation/architecture.md"), re.M | re.S)
    told = [sorted(re.findall(r"`(\w+)`", line.split(" | ")[0])) for line in table.splitlines()[2:] if line]
    assert told == [sorted(layer.split(" | ")) for layer in layers]


def test_the_picture_of_the_packages_shows_every_package_and_plugin(root: Path) -> None:
    """Those of the import contracts, and no other."""
    picture = (root / "docs/explanation/packages.svg").read_text("utf-8")
    settings = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    [layers] = [each["layers"] for each in settings["contracts"] if each.get("containers") == ["rave_core"]]
    wanted = [name for layer in layers for name in layer.split(" | ")] + settings["root_packages"]
    assert sorted(re.findall(r">(\w+)</text>", picture)) == sorted(wanted)
