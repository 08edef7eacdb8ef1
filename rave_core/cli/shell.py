"""``rave shell``: a prompt with the runtime, the operations and the plugins in it."""

from __future__ import annotations

import code
import platform
from collections.abc import Mapping
from importlib.util import find_spec
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import click

from rave_core.cli.session import current_session

if TYPE_CHECKING:
    from rave_core.operations.catalog import Catalog


@click.command()
@click.option("--plain", is_flag=True, help="Use Python's own prompt, even if IPython is installed.")
def shell(plain: bool) -> None:
    """Start a Python prompt in which calls go to the configured caches.

    It has the names runtime, operations (by namespace/operation) and plugins (by name), and one for each namespace, so
    that lab.add(1) calls lab/add. IPython is used where it is installed.
    """
    session = current_session()
    runtime, catalog = session.runtime, session.catalog
    names = {
        **_namespaces(catalog),
        "runtime": runtime,
        "operations": _operations(catalog),
        "plugins": {each.name: each.plugin for each in runtime.plugins.found},
    }
    if not plain and find_spec("IPython") is not None:
        _ipython(names, _banner(names))
    else:
        _plain(names, _banner(names))


def _operations(catalog: Catalog) -> dict[str, Any]:
    return {
        f"{space.name}/{name}": operation
        for space in catalog.namespaces.values()
        for name, operation in space.operations.items()
    }


def _namespaces(catalog: Catalog) -> dict[str, Any]:
    """Every namespace whose name is one in Python, with its operations as attributes; ``a/b`` is ``a.b``."""
    found: dict[str, Any] = {}
    for space in catalog.namespaces.values():
        if space.name.isidentifier():
            found[space.name] = SimpleNamespace()
            for name, operation in space.operations.items():
                _put(found[space.name], name.split("/"), operation)
    return found


def _put(place: Any, path: list[str], operation: object) -> None:
    *above, last = path
    for step in above:
        inner = getattr(place, step, None)
        if not isinstance(inner, SimpleNamespace):
            if inner is not None:
                return  # an operation has the name; this one stays in ``operations``
            inner = SimpleNamespace()
            setattr(place, step, inner)
        place = inner
    if not hasattr(place, last):
        setattr(place, last, operation)


def _banner(names: Mapping[str, object]) -> str:
    return f"RAVE, Python {platform.python_version()}. Names: {', '.join(sorted(names))}"


def _plain(names: dict[str, Any], banner: str) -> None:
    import contextlib

    with contextlib.suppress(ImportError):  # a Python without readline has no history
        import readline
        import rlcompleter

        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab: complete")
    with contextlib.suppress(SystemExit):
        code.interact(banner, local={"__name__": "__main__", **names}, exitmsg="")


def _ipython(names: dict[str, Any], banner: str) -> None:
    from IPython import start_ipython

    start_ipython(argv=["--no-banner", "--ext=rave_core"], user_ns={**names, "__doc__": banner})
