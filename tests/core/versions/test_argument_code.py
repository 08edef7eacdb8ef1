"""Code that comes as an argument counts: functions by what they do, objects by what their class does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rave_core import Runtime, op, using
from tests.core.versions.programs import loaded

HEAD = "from dataclasses import dataclass\nfrom rave_core import op, version\n"
OPERATION = "@op\ndef f(x):\n    return x.go()\n"
CLASS = """
from dataclasses import dataclass
def g():
    return 1
@dataclass
class A:
    n: int
    def go(self):
        return g()
"""


@pytest.fixture(autouse=True, params=["source", "file"])
def _strategy(
    make_runtime: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[None]:
    """Whatever the version of the operation itself goes by."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with using(make_runtime(version=request.param, cache=["memory://"])):
        yield


def _key(directory: Path, files: dict[str, str], argument: str) -> str:
    with loaded(directory, files) as program:
        exec(f"argument = {argument}", vars(program))
        key = program.f.key(program.argument)
        assert key is not None
        return f"{key.version}/{key.arguments}"


@pytest.mark.parametrize("argument", ["other.A(1)", "[other.A(1)]", "{'a': (other.A(1),)}", "other.A", "other.A(1).go"])
def test_what_the_class_of_an_argument_does_counts(tmp_path: Path, argument: str) -> None:
    """In a module that the operation's does not use, and what its methods call; comments do not."""
    program = {"program.py": HEAD + "import other\n" + OPERATION}
    first = _key(tmp_path / "a", program | {"other.py": CLASS}, argument)
    assert _key(tmp_path / "b", program | {"other.py": CLASS.replace("return 1", "return 1  # one")}, argument) == first
    assert _key(tmp_path / "c", program | {"other.py": CLASS.replace("return 1", "return 2")}, argument) != first


@pytest.mark.parametrize("argument", ["other.h", "[other.h]", "__import__('functools').partial(other.h, 1)"])
def test_what_a_function_given_as_an_argument_calls_counts(tmp_path: Path, argument: str) -> None:
    """Not its own code alone."""
    program = {"program.py": HEAD + "import other\n@op\ndef f(x):\n    return x\n"}
    text = "def g(x):\n    return x + 1\ndef h(x):\n    return g(x)\n"
    first = _key(tmp_path / "a", program | {"other.py": text}, argument)
    assert _key(tmp_path / "b", program | {"other.py": "# new\n" + text}, argument) == first
    assert _key(tmp_path / "c", program | {"other.py": text.replace("+ 1", "+ 2")}, argument) != first


def test_lambdas_on_one_line_are_told_apart() -> None:
    """By where they stand."""
    call = op(name="t/call")(lambda g: g(2))
    first, second = call(lambda x: x + 1), call(lambda x: x * 10)
    assert (first, second) == (3, 20)
    assert [call(each) for each in (lambda x: x - 1, lambda x: x - 2, lambda x: x - 3)] == [1, 0, -1]


def test_under_an_explicit_version_classes_do_not_count_and_functions_do(tmp_path: Path) -> None:
    """The author answers for the code; which function was given is a value."""
    program = {"program.py": HEAD + "import other\n@op(version=1)\ndef f(x):\n    return x\n"}
    edited = CLASS.replace("return 1", "return 2")
    assert _key(tmp_path / "a", program | {"other.py": CLASS}, "other.A(1)") == _key(
        tmp_path / "b", program | {"other.py": edited}, "other.A(1)"
    )
    assert _key(tmp_path / "c", program | {"other.py": CLASS}, "other.g") != _key(
        tmp_path / "d", program | {"other.py": edited}, "other.g"
    )


def test_functions_of_the_library_count_by_name() -> None:
    """And plain arguments add nothing to a key."""

    @op(name="t/apply")
    def apply(function: Callable[..., object], value: object) -> object:
        return function(value)

    import shutil
    import textwrap

    assert apply.key(textwrap.dedent, 1) == apply.key(textwrap.dedent, 1) != apply.key(textwrap.indent, 1)
    assert apply.key(shutil.copy, 1) != apply.key(shutil.move, 1)
