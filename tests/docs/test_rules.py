"""What CONTRIBUTING says of the code is so: each rule is read off the files themselves."""

from __future__ import annotations

import ast
import builtins
import re
import subprocess
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

Function: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef"
ROOT = Path(__file__).parents[2]
MOST_LINES = 350
MOST_STATEMENTS_LINES = 25
ENTRIES = {"rave_core": 32, "rave_http": 20, "rave_backends": 8, "plugins/rave-flow/rave_flow": 14}
"""How many files and packages lie at the top of a package, at most."""
CLOCKS = {"rave_core/clock.py", "rave_core/testing/clock.py", "rave_http/client/deadline.py"}
"""The modules that may ask the machine for the time. The client has its own, since it needs nothing of RAVE."""
ROOTS = {"RaveError", "RaveWarning", "Signal", "ClientError", "ClickException", "Exit"}
"""What every exception derives from: RAVE's own roots, the client's, and click's, by which a command ends."""
READINGS = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}
MUTE = re.compile(r"#\s*(?:ruff:\s*)?(?:noqa|type:\s*ignore|pragma)\b(.*)")
REASONED = re.compile(r"(?:\[[\w\-, ]+\]|:\s*[A-Z]+[0-9]+(?:,\s*[A-Z]+[0-9]+)*)\s+# \S")


@cache
def files(*patterns: str) -> tuple[str, ...]:
    """The Python files below these paths, those that git ignores left out."""
    asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    found = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return tuple(sorted(name for name in found if name.endswith(".py") and (ROOT / name).exists()))


def production() -> tuple[str, ...]:
    """The files of the packages: RAVE's and the plugins'."""
    found = files("rave_core", "rave_http", "rave_backends", "plugins/*/rave_*")
    assert len(found) > 200
    return found


@cache
def tree(name: str) -> ast.Module:
    """A file, parsed."""
    return ast.parse((ROOT / name).read_text("utf-8"))


def package_of(name: str) -> str:
    """The import package that a file belongs to."""
    return next(part for part in Path(name).parts if re.fullmatch(r"rave_\w+", part))


def test_files_are_short() -> None:
    """Of packages and tests alike."""
    names = (*production(), *files("tests", "plugins/*/tests/*"))
    long = {name for name in names if len((ROOT / name).read_text("utf-8").splitlines()) >= MOST_LINES}
    assert not long


def functions(node: ast.AST, path: str = "") -> Iterator[tuple[str, Function]]:
    """All functions below a node, with their dotted names."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            full = f"{path}.{child.name}".lstrip(".")
            if not isinstance(child, ast.ClassDef):
                yield full, child
            yield from functions(child, full)
        else:
            yield from functions(child, path)


def body_lines(function: Function) -> int:
    """The lines of a function's body, from the first statement after its docstring."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    if not body:
        return 0
    starts = [body[0].lineno, *(each.lineno for each in getattr(body[0], "decorator_list", []))]
    last: int = body[-1].end_lineno or 0
    return last - min(starts) + 1


def test_functions_are_short() -> None:
    """Their docstrings do not count."""
    long = {
        f"{name}: {path}"
        for name in production()
        for path, function in functions(tree(name))
        if body_lines(function) >= MOST_STATEMENTS_LINES
    }
    assert not long


def test_no_class_name_stands_twice_in_a_package() -> None:
    """One name, one thing."""
    where = defaultdict(list)
    for name in production():
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.ClassDef):
                where[package_of(name), node.name].append(name)
    assert not {key: names for key, names in where.items() if len(names) > 1}


def test_every_exception_derives_from_a_root() -> None:
    """Directly or through others."""
    bases: dict[str, set[str]] = defaultdict(set)
    for name in production():
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.ClassDef):
                bases[node.name] |= {ast.unparse(base).rpartition(".")[2] for base in node.bases}

    def is_exception(name: str, seen: frozenset[str] = frozenset()) -> bool:
        builtin = getattr(builtins, name, None)
        if isinstance(builtin, type) and issubclass(builtin, BaseException):
            return True
        return name not in seen and any(is_exception(base, seen | {name}) for base in bases.get(name, ()))

    def is_rooted(name: str) -> bool:
        return name in ROOTS or any(is_rooted(base) for base in bases.get(name, ()))

    assert not {name for name in bases if is_exception(name) and not is_rooted(name)}


def test_only_the_clock_asks_for_the_time() -> None:
    """Nor does anything else sleep."""
    wrong = [
        f"{name}: {ast.unparse(node)}"
        for name in production()
        if name not in CLOCKS
        for node in ast.walk(tree(name))
        if _reads_time(node)
    ]
    assert not wrong


def _reads_time(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "time" and bool({alias.name for alias in node.names} & READINGS["time"])
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, (ast.Name, ast.Attribute)):
        return False
    owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
    return node.attr in READINGS.get(owner, ())


@pytest.mark.parametrize("package", ENTRIES)
def test_a_package_has_few_entries(package: str) -> None:
    """A reader sees at once what there is."""
    entries = {Path(name).relative_to(package).parts[0] for name in files(package)} - {"__init__.py"}
    assert len(entries) <= ENTRIES[package]


def test_every_mute_has_its_code_and_its_reason() -> None:
    """As in ``# noqa: S311  # not for secrets``."""
    wrong = []
    for name in files("*.py"):
        with (ROOT / name).open("rb") as file:
            comments = [token for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
        for comment in comments:
            found = MUTE.match(comment.string)
            if found and not REASONED.match(found[1]):
                wrong.append(f"{name}:{comment.start[0]} {comment.string}")
    assert not wrong, "\n".join(wrong)


def test_every_skip_has_its_reason() -> None:
    """Also one that depends on a condition, or on a module."""
    wrong = []
    for name in files("tests", "plugins/*/tests/*"):
        for node in ast.walk(tree(name)):
            if not isinstance(node, (ast.Call, ast.Attribute)):
                continue
            call = node.func if isinstance(node, ast.Call) else None
            called = ast.unparse(call) if call is not None else ""
            if called == "pytest.skip":
                has_reason = bool(node.args) if isinstance(node, ast.Call) else False
            elif called in ("pytest.importorskip", "pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail"):
                has_reason = isinstance(node, ast.Call) and any(each.arg == "reason" for each in node.keywords)
            else:
                continue
            if not has_reason:
                wrong.append(f"{name}:{node.lineno}")
    assert not wrong


SLEEP = re.compile(r"\bsleep\((\d[\d_.]*)\)")
LONGEST_SLEEP = 0.2


def test_no_test_sleeps_for_long() -> None:
    """It waits for a condition, at most 0.2 s at a time; also in the programs that it starts."""
    found = {
        f"{name}: {seconds}"
        for name in files("tests", "plugins/*/tests/*")
        for seconds in SLEEP.findall((ROOT / name).read_text("utf-8"))
        if float(seconds) > LONGEST_SLEEP
    }
    assert not found


def imports(name: str, modules: dict[str, str]) -> set[str]:
    """The modules among ``modules`` that a file imports: anywhere in it, for types only as well."""
    found = set()
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {full if full in modules else node.module for full in names}
    return {each for each in found if each in modules}


def circle_of(start: str, graph: dict[str, set[str]]) -> list[str]:
    """The modules that ``start`` reaches and that reach it; empty for none."""

    def reached(at: str, edges: dict[str, set[str]]) -> set[str]:
        seen: set[str] = set()
        todo = list(edges[at])
        while todo:
            if (each := todo.pop()) not in seen:
                seen.add(each)
                todo += edges[each]
        return seen

    backwards: dict[str, set[str]] = {name: set() for name in graph}
    for name, targets in graph.items():
        for target in targets:
            backwards[target].add(name)
    return sorted(reached(start, graph) & reached(start, backwards))


def test_no_files_import_each_other_in_a_circle() -> None:
    """Neither within a function nor for types only."""
    modules: dict[str, str] = {}
    for name in production():
        parts = Path(name).with_suffix("").parts
        parts = parts[parts.index(package_of(name)) :]
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = name
    graph = {module: imports(name, modules) - {module} for module, name in modules.items()}
    circles = {" ".join(circle) for module in graph if (circle := circle_of(module, graph))}
    assert not circles


VALUES = (
    "arguments/", "codecs/", "converters/", "engine/compute.py", "engine/effects.py", "fingerprint/",
    "functions/argument_reprs.py", "operations/async_operation.py", "operations/building.py",
    "operations/decorators.py", "operations/operation.py", "rendering/", "storage/cache.py", "typemap.py",
    "versions/source/",
)  # fmt: skip
"""Where a user's own functions, arguments and values pass in rave_core, of any type: there `Any` is the truth."""


def test_any_stands_on_few_lines_where_no_values_pass() -> None:
    """On at most 15 of 1,000 lines of the other modules of rave_core."""
    lines = anys = 0
    for path in sorted((ROOT / "rave_core").rglob("*.py")):
        name = str(path.relative_to(ROOT / "rave_core"))
        if name.startswith(VALUES):
            continue
        text = path.read_text("utf-8")
        named = (node.lineno for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name) and node.id == "Any")
        lines, anys = lines + text.count("\n"), anys + len(set(named))
    assert lines > 8000
    assert anys * 1000 <= 15 * lines, f"{anys} of {lines} lines say Any"
