"""What is public is named: by a table of the reference, by ``__all__``, and by what RAVE's own plugins import."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

import pytest

Page: TypeAlias = Callable[[str], str]
ROOT = Path(__file__).parents[2]
DISTRIBUTION = ("rave_core", "rave_backends", "rave_http")
NO_OTHER_WAY = {
    # No public name puts a listener or a fake scope around a body; executors and pages do that from inside.
    "plugins/rave-flow/tests/test_daily.py": {
        "rave_core.engine.context.ExecutionContext",
        "rave_core.engine.context.entered",
        "rave_core.runtime.runtime.current_context",
    },
    # No public name lets the many runtimes of these tests share what one of them found of the code.
    "plugins/rave-flow/tests/conftest.py": {
        "rave_core.runtime.argument_code",
        "rave_core.runtime.version_finder",
        "rave_core.versions.source.closure.Closure",
        "rave_core.versions.source.closure.ClosureRequest",
        "rave_core.versions.source.closure.closure_of",
    },
    "plugins/rave-web/tests/test_coroutines.py": {"rave_core.engine.context.current"},
}
"""What tests of plugins import although it is not public."""


def listed_modules() -> list[str]:
    """The modules in the table of the reference, in its order."""
    text = (ROOT / "docs/reference/python-api.md").read_text("utf-8")
    return re.findall(r"^\| `(rave_\w+(?:\.\w+)*)` \|", text, re.MULTILINE)


def imports_of(path: Path) -> Iterator[tuple[str, str]]:
    """Module and name of each import of RAVE's distribution in a file; an empty name for a whole module."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found = [(node.module, alias.name) for alias in node.names]
        else:
            continue
        yield from (each for each in found if each[0].partition(".")[0] in DISTRIBUTION)


def sources() -> list[Path]:
    """What stands in for anybody's plugin or program: plugins with their tests, and examples."""
    found = [*ROOT.glob("plugins/*/rave_*/**/*.py"), *ROOT.glob("plugins/*/tests/**/*.py"), *ROOT.glob("examples/*.py")]
    assert len(found) > 50
    return sorted(found)


def in_order(names: list[str]) -> list[str]:
    """Names as ``__all__`` has them: constants, then classes, then the rest."""
    return sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name))


@pytest.fixture(params=listed_modules())
def module(request: pytest.FixtureRequest) -> ModuleType:
    """Each public module."""
    return importlib.import_module(request.param)


def test_plugins_and_examples_import_public_names_alone() -> None:
    """What they need, anybody's plugin may need."""
    public = {name: set(importlib.import_module(name).__all__) for name in listed_modules()}
    wrong = [
        f"{name}: {module}.{thing}".rstrip(".")
        for path in sources()
        for module, thing in imports_of(path)
        if (name := str(path.relative_to(ROOT)))
        and thing not in public.get(module, ())
        and f"{module}.{thing}" not in public
        and f"{module}.{thing}" not in NO_OTHER_WAY.get(name, ())
        and (thing or module not in public)
    ]
    assert not wrong, "\n".join(wrong)


def test_no_exception_is_left_that_nobody_needs() -> None:
    """A name that is not imported any more is no exception any more."""
    for name, excepted in NO_OTHER_WAY.items():
        assert excepted <= {f"{module}.{thing}" for module, thing in imports_of(ROOT / name)}


def test_the_table_of_public_modules_is_sorted() -> None:
    """By name, each once."""
    assert listed_modules() == sorted(set(listed_modules()))


def test_all_is_sorted_and_each_name_is_there(module: ModuleType) -> None:
    """Whoever imports everything gets it."""
    assert module.__all__ == in_order(list(set(module.__all__)))
    assert not [name for name in module.__all__ if not hasattr(module, name)]


def test_all_of_the_errors_are_public() -> None:
    """Whatever RAVE raises, a caller can name; a signal is no error."""
    errors = importlib.import_module("rave_core.errors")
    defined = {name for name, thing in vars(errors).items() if getattr(thing, "__module__", "") == errors.__name__}
    assert defined - {"Signal"} == set(errors.__all__)


def test_all_of_a_package_is_all_that_it_imports(module: ModuleType) -> None:
    """Its ``__init__`` imports nothing for itself; what it loads lazily, it imports for the type checker."""
    if not hasattr(module, "__path__"):
        return
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    for_the_type_checker = [
        node
        for block in tree.body
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in block.body
    ]
    imported = {
        alias.asname or alias.name
        for node in [*tree.body, *for_the_type_checker]
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rave_")
        for alias in node.names
    }
    assert imported == set(module.__all__)


def test_every_public_name_is_in_the_reference(module: ModuleType) -> None:
    """Described from its docstring, or named in code."""
    texts = [path.read_text("utf-8") for path in (ROOT / "docs/reference").glob("*.md")]
    told = {name for text in texts for name in re.findall(r"auto\w+:: [\w.]+\.(\w+)", text)}
    code = [span for text in texts for span in re.findall(r"`([^`\n]+)`", text)]
    told |= {word for span in code for word in re.split(r"\W+", span)}
    assert not set(module.__all__) - told
