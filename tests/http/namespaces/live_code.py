"""A directory of code, for the tests of namespaces that are loaded again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rave_core.clock import SystemClock
from rave_core.runtime.runtime import current_runtime
from rave_http.namespaces.live_catalog import LiveNamespaces, NamespaceState

ANSWER = """
from rave_core import op
@op
def answer(x=0):
    return {word!r}
__export__ = {{"answer": answer}}
"""


def write(directory: Path, word: str) -> None:
    """Makes the directory a namespace whose operation answers ``word``."""
    directory.mkdir(exist_ok=True)
    (directory / "__init__.py").write_text(ANSWER.format(word=word))


def live(clock: Any = None, *, polling: bool = False, fatal: bool = False, **directories: Path) -> LiveNamespaces:
    """Live namespaces over some directories."""
    places = {name: str(directory) for name, directory in directories.items()}
    made = LiveNamespaces(
        places, runtime=current_runtime(), clock=clock or SystemClock(), load_error_fatal=fatal, polling=polling
    )
    made.load()
    return made


def state(namespaces: LiveNamespaces, name: str = "local") -> NamespaceState:
    """How one of them is doing."""
    return next(each for each in namespaces.states() if each.name == name)


def answer(namespaces: LiveNamespaces, name: str = "local") -> Any:
    """What its operation answers; ``None`` where it has none."""
    found = namespaces.find(f"{name}/answer")
    return found.operation() if found is not None else None
