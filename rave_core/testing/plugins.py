"""Plugins for tests: those that a test names, and no other installed ones."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from rave_core.plugins.discovery import PLUGINS, FoundPlugin, Plugins, found_entry_points, load


def isolated_plugins(*plugins: object, keep: Collection[str] = ("backends",)) -> Plugins:
    """Exactly these plugins, for ``Runtime(settings, plugins=…)``.

    Args:
        plugins: modules or objects with hooks. What is wrong with one shows in ``problems``, as it would for a user.
        keep: names of installed plugins to include; the backends ``memory`` and ``file`` by default.

    Raises:
        LookupError: a plugin named in ``keep`` is not installed.
        ImportError: it can't be loaded.
    """
    named = [FoundPlugin(_name(plugin, place), _name(plugin, place), plugin) for place, plugin in enumerate(plugins)]
    return Plugins([*_kept(keep), *named])


def _kept(names: Collection[str]) -> Iterator[FoundPlugin]:
    entries = {entry.name: entry for entry in found_entry_points(PLUGINS)}
    for name in names:
        if name not in entries:
            raise LookupError(f"no installed plugin is called {name!r}; installed: {', '.join(sorted(entries))}")
        plugin, problem = load(entries[name])
        if problem is not None:
            raise ImportError(str(problem))
        yield FoundPlugin(name, entries[name].value, plugin)


def _name(plugin: object, place: int) -> str:
    return getattr(plugin, "__name__", None) or f"{type(plugin).__qualname__}-{place}"
