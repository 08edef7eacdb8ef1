"""Identity: an operation has one name in every process that runs the same code."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime, op, op_file, using
from rave_core.errors import DecorationError, DuplicateError

Ran = Callable[[], list[str]]
SCRIPT = """
from rave_core import op
@op
def f(x):
    print("ran")
    return x
if __name__ == "__main__":
    print(f(1), f.spec.name)
"""


@pytest.mark.usefixtures("runtime")
def test_an_operation_is_called_by_module_and_qualified_name() -> None:
    """``name=`` takes the place of both."""
    assert module_level.spec.name == f"{__name__}:module_level"
    assert Holder.method.spec.name == f"{__name__}:Holder.method"
    assert op(name="a name / of mine")(module_level.function).spec.name == "a name / of mine"
    assert module_level.key(1).operation == f"{__name__}:module_level"


@op
def module_level(x):
    """An operation of this module."""
    return x


class Holder:
    """A class with an operation."""

    @op
    def method(self, x):
        """A method."""
        return x


def test_a_script_is_the_same_from_wherever_it_is_started(tmp_path: Path, run_python: Callable[..., str]) -> None:
    """Its resolved path names it: another working directory, a relative path or a link keep its results."""
    (tmp_path / "work").mkdir()
    script = tmp_path / "work" / "script.py"
    script.write_text(SCRIPT)
    name = f"{script.resolve()}:f"
    assert run_python(str(script)) == f"ran\n1 {name}"
    assert run_python("script.py", cwd=tmp_path / "work") == f"1 {name}"
    (tmp_path / "link.py").symlink_to(script)
    assert run_python("link.py") == f"1 {name}"


def test_two_scripts_of_one_name_are_two(tmp_path: Path, run_python: Callable[..., str]) -> None:
    """Both are ``__main__`` to Python, and have the same content."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "script.py").write_text(SCRIPT)
        assert run_python(f"{name}/script.py").startswith("ran")


def test_a_module_run_by_its_name_is_the_module(tmp_path: Path, run_python: Callable[..., str]) -> None:
    """``python -m package.module`` finds what was computed when it was imported."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "module.py").write_text(SCRIPT)
    assert run_python("-c", "from package.module import f; f(1)") == "ran"
    assert run_python("-m", "package.module") == "1 package.module:f"


def test_a_prompt_or_notebook_goes_by_the_code(run_python: Callable[..., str]) -> None:
    """Without a file the compiled function is the version: run again it hits, a changed cell misses."""
    cell = "from rave_core import op\n@op\ndef f(x):\n    print('ran'); return x * {}\n"
    ask = "cells = {{}}; exec({!r}, globals()); print(f(1), f.spec.name)"
    assert run_python("-c", ask.format(cell.format(2))) == "ran\n2 __main__:f"
    assert run_python("-c", ask.format(cell.format(2))) == "2 __main__:f"
    assert run_python("-c", ask.format(cell.format(3))) == "ran\n3 __main__:f"


@pytest.mark.usefixtures("runtime")
def test_a_cell_can_be_run_again_in_one_process(ran: Ran) -> None:
    """Defining an operation anew in a notebook is no clash; the old code's results are found again."""
    cell = "from rave_core import op\n@op(name='t/cell')\ndef f(x):\n    print('ran')\n    return x * {}\n"
    found = []
    for factor in (2, 3, 2, 2):
        space: dict[str, object] = {"__name__": "__main__"}
        exec(cell.format(factor), space)
        operation = space["f"]
        assert callable(operation)
        found.append(operation(1))
    assert found == [2, 3, 2, 2]
    assert ran() == ["ran", "ran"]


@pytest.mark.parametrize("decorate", [op, op_file, op(), op(tags=["x"])])
def test_lambdas_and_local_functions_need_a_name(decorate: Callable[..., object]) -> None:
    """Two of them can have one qualified name; the message shows what to write."""

    def local(out):
        return out

    with pytest.raises(DecorationError, match=r"the local function 'local'.*@op\(name="):
        decorate(local)
    with pytest.raises(DecorationError, match=r"a lambda .*@op\(name="):
        decorate(lambda out: out)


def test_what_a_closure_captured_is_part_of_the_key(runtime: Runtime, ran: Ran) -> None:
    """Two functions from one factory differ in it alone; equal ones share their results."""

    def factory(factor, options=None):
        @op(name="t/scaled")
        def scaled(x):
            print("ran", factor)
            return x * factor + len(options or ())

        return scaled

    assert [factory(2)(10), factory(3)(10), factory(2)(10), factory(2, [1])(10), factory(2, [1])(10)] == [
        20,
        30,
        20,
        21,
        21,
    ]
    assert ran() == ["ran 2", "ran 3", "ran 2"]


def test_a_captured_value_that_has_no_key_makes_the_call_uncached(runtime: Runtime, ran: Ran) -> None:
    """It is never left out; the warning names the variable."""
    handle = open(__file__)  # noqa: SIM115  # something that no key can stand for
    try:

        @op(name="t/reading")
        def reading(x):
            print("ran")
            return handle.closed

        with pytest.warns(UserWarning, match=r"t/reading runs uncached.*handle"):
            assert reading(1) is False
        reading(1)
        assert reading.key(1) is None
        assert ran() == ["ran", "ran"]
    finally:
        handle.close()


def test_a_variable_captured_before_it_has_a_value(runtime: Runtime) -> None:
    """No key yet; afterwards there is one."""

    @op(name="t/early")
    def early():
        return later

    with pytest.warns(UserWarning, match="no value yet"):
        assert early.key() is None
    later = 5
    assert early.key() is not None
    assert early() == 5


def test_a_local_operation_may_call_itself_and_others(runtime: Runtime, ran: Ran) -> None:
    """Its own name among the captured variables is no obstacle, nor is another operation."""

    @op(name="t/twice")
    def twice(n):
        return 2 * n

    @op(name="t/local_fib")
    def local_fib(n):
        print("ran")
        return n if n < 2 else local_fib(n - 2) + local_fib(n - 1) + 0 * twice(n)

    assert local_fib(20) == local_fib(20) == 6765
    assert len(ran()) == 21


def test_one_name_for_two_operations_is_refused(runtime: Runtime) -> None:
    """The message names both places."""

    def one(x):
        return 1

    def two(x):
        return 2

    first, second = op(name="t/same")(one), op(name="t/same")(two)
    assert first(1) == 1
    with pytest.raises(DuplicateError, match=r"'t/same'.*one.*two"):
        second(1)
    assert first(1) == 1


def test_one_name_for_two_lambdas_is_refused(runtime: Runtime) -> None:
    """Though Python calls both of them alike, even on one line."""
    first, second = op(name="t/same")(lambda x: x + 1), op(name="t/same")(lambda x: x * 10)
    assert first(1) == 2
    with pytest.raises(DuplicateError, match="'t/same'"):
        second(1)


def test_two_runtimes_do_not_share_names(make_runtime: Callable[..., Runtime], tmp_path: Path) -> None:
    """What is taken in one is free in another."""
    with using(make_runtime()):
        op(name="t/same", version=1)(lambda x: x + 1)(1)
    with using(make_runtime()):
        assert op(name="t/same", version=2)(lambda x: x * 10)(1) == 10


@pytest.mark.parametrize("name", ["", " ", "a\nb", 5, b"x"])
def test_a_name_is_a_printable_text(name: object) -> None:
    """Anything else is refused when it is decorated."""
    with pytest.raises(DecorationError, match="name="):
        op(name=name)(_body)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/abs", "a//b", ".hidden", "x" * 500, "ä/ß", "a b", "C:\\x", "%2e"]
)
def test_no_name_leaves_the_cache(tmp_path: Path, make_runtime: Callable[..., Runtime], name: str) -> None:
    """Any printable name works, and never becomes a path outside of the store."""
    inside = tmp_path / "some" / "way" / "down"
    caches = {"cache": f"file://{inside}/data", "products": f"file://{inside}/products"}
    with using(make_runtime(**caches)):
        odd = op(name=name)(_body)
        assert odd() == "body"
        assert odd.resolve().status == "hit"
        kept = odd_file = op_file(name=name + "f")(_file_body)
        assert Path(kept()).resolve().is_relative_to((inside / "products").resolve())
        assert odd_file.resolve().status == "hit"
    above = [path for path in tmp_path.rglob("*") if not path.is_relative_to(inside)]
    assert sorted(above) == [inside.parent.parent, inside.parent]


def test_the_signature_of_a_key_is_readable(runtime: Runtime) -> None:
    """The operation comes first, so that a cache can be browsed by it."""
    key = module_level.key(1)
    assert key.text == f"{__name__}:module_level/{key.version}/{key.arguments}"
    assert inspect.signature(module_level).parameters.keys() == {"x"}


def _body():
    return "body"


def _file_body(out):
    Path(out).write_text("body")


def _cell(text: str, number: int, space: dict[str, Any]) -> None:
    exec(compile(text, f"<cell {number}>", "exec"), space)


@pytest.mark.parametrize("again", ["", "# why\n", "\n\n\n", "CONSTANT = 1\n"])
def test_a_cell_that_runs_again_replaces_its_operations(runtime: Runtime, again: str) -> None:
    """Also with another comment, moved down, edited or with another decorator, while the former one is alive."""
    space: dict[str, Any] = {"__name__": "__main__", "op": op}
    _cell("@op\ndef f(x):\n    return x", 1, space)
    former = space["f"]
    assert former(1) == 1
    _cell(f"{again}@op(expires='1h')\ndef f(x):\n    return x + 1", 2, space)
    assert space["f"](1) == 2


def test_a_lambda_under_the_name_of_a_former_one_replaces_it_once_nobody_holds_that(runtime: Runtime) -> None:
    """As a cell does that gives a lambda a name and is edited; see above for two that are alive."""
    shifted = op(name="t/shifted")(lambda x: x + 1)
    assert shifted(1) == 2
    shifted = op(name="t/shifted", version=2)(lambda x: x + 10)
    assert shifted(1) == 11
