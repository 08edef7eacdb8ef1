"""Load effects: what modules of the project do to libraries while they are loaded, such as ``random.seed(3)``.

The statements of a module count that change a library, or call it for nothing but the effect; also those that call
functions of the project that do. So do the statements of the modules that a reached module imports, whether or not a
name of them is used, and of the packages around them. In the main program most calls are uses and no preparations, so
there a call counts only if its name says that it changes something. Of the functions that it calls, such as ``main()``,
only the statements count that change a library.
"""

from __future__ import annotations

import linecache
import sys
from collections import deque
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from rave_core.versions.source.facts import Facts
from rave_core.versions.source.functions import put_definition, reach
from rave_core.versions.source.library_acts import acts_within, first_on_library
from rave_core.versions.source.load_acts import Act, ActingStatement
from rave_core.versions.source.loaded_source import sources
from rave_core.versions.source.locality import MAINS, Place
from rave_core.versions.source.modules import has_file, names_in
from rave_core.versions.source.names import ReachedNames
from rave_core.versions.source.tokens import digest_of
from rave_core.versions.source.walk import Walk


def add_load_effects(walk: Walk) -> bool:
    """Adds the load effects of reached modules, and of those that they import; returns whether there are any."""
    found = False
    todo: deque[tuple[Facts, dict[str, Any]]] = deque(
        (facts, space) for path, (facts, space) in walk.files.items() if _is_new(walk, path)
    )
    while todo:
        facts, space = todo.popleft()
        if not has_file(space):
            _tell_of_cells(walk, space)
            continue
        found = _add_effects(walk, facts, space) or found
        todo += _imported(walk, facts, space)
    return found


def _is_new(walk: Walk, path: str) -> bool:
    if ("effects", path) in walk.done:
        return False
    walk.done.add(("effects", path))
    return True


def _add_effects(walk: Walk, facts: Facts, space: dict[str, Any]) -> bool:
    """Adds the effects of one module, each kind of them under one label."""
    codes: dict[str, list[str]] = {}
    name = str(space.get("__name__", ""))
    for statement in facts.acting_statements:
        if statement.is_main and name not in MAINS:
            continue
        act = first_on_library(walk, facts, space, statement.acts)
        if act is None and name in MAINS:
            for found in acts_within(walk, space, statement):
                _add_within(walk, codes, *found)
        definition = facts.statement(statement.number) if act is not None else None
        if act is None or definition is None:
            continue
        label = f"{name}: {act.label}"
        walk.put("while loading")
        put_definition(walk, definition, space)
        reach(walk, definition.names, space, {}, label, is_loading=True)
        codes.setdefault(label, []).append(definition.code)
    walk.nodes.update({label: digest_of(*each)[:12] for label, each in codes.items()})
    return bool(codes)


def _add_within(
    walk: Walk, codes: dict[str, list[str]], function: FunctionType, statement: ActingStatement, act: Act
) -> None:
    """Adds a statement of a function that the main program calls, and what it names outside of the function."""
    space, code = function.__globals__, function.__code__
    label = f"{function.__module__}:{function.__qualname__}: {act.label}"
    loaded = sources.of_code(code, space)
    definition = loaded.facts.statement_inside(code, statement.number) if loaded.facts is not None else None
    if definition is None or ("within", label, statement.number) in walk.done:
        return
    walk.done.add(("within", label, statement.number))
    outer = {chain[0] for chain in loaded.definition.names.chains}
    walk.put("while loading")
    put_definition(walk, definition, space)
    names = ReachedNames(chains={chain for chain in definition.names.chains if chain[0] in outer})
    reach(walk, names, space, {}, label, is_loading=True)
    codes.setdefault(label, []).append(definition.code)
    walk.tell(label, "the main program calls it: this statement counts, and not what leads to it")


def _imported(walk: Walk, facts: Facts, space: dict[str, Any]) -> Iterator[tuple[Facts, dict[str, Any]]]:
    """The modules of the project that a module imports while it loads, and the packages around them."""
    package = space.get("__package__") or str(space.get("__name__") or "").rpartition(".")[0]
    for name in facts.imported(package):
        if name in walk.sought:
            continue
        walk.sought.add(name)
        module = sys.modules.get(name)
        inner = names_in(module) if module is not None else {}
        if not inner or walk.place_of(inner) is not Place.PROJECT or not has_file(inner):
            continue
        if _is_new(walk, inner["__file__"]) and (known := walk.facts_of(inner)) is not None:
            yield known, inner


def _tell_of_cells(walk: Walk, space: dict[str, Any]) -> None:
    """Lists what cells do to libraries: which of them ran, and in which order, is not known."""
    if ("cells", id(space)) in walk.done:
        return
    walk.done.add(("cells", id(space)))
    for filename, entry in list(linecache.cache.items()):
        if len(entry) < 3 or entry[1] is not None:
            continue
        facts = sources.facts_of("".join(entry[2]).encode(), filename, is_cell=True)
        for statement in facts.acting_statements:
            act = first_on_library(walk, facts, space, statement.acts)
            if act is not None:
                walk.tell(act.label, "a cell changes a library, which does not count; call it in the body")
            for function, _, change in acts_within(walk, space, statement):
                label = f"{function.__qualname__}: {change.label}"
                walk.tell(label, "a cell calls it, and it changes a library, which does not count; call it in the body")
