"""What a release starts, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rave_core.errors import ConfigurationError, nearest
from rave_core.lifecycle.declaration import Declaration
from rave_core.settings import App


def check_release(
    apps: Sequence[App], declared: Mapping[str, Declaration], wrong: Mapping[str, str], disabled: Sequence[str]
) -> None:
    """Raises an error if a release names what can't start.

    Args:
        apps: of the release.
        declared: the plugins that there are, by name.
        wrong: why some of them can't start, by name.
        disabled: plugins that the settings leave out.

    Raises:
        ConfigurationError: the message names the app, and says what would be right.
    """
    for app in apps:
        reason = wrong.get(app.name)
        if app.name not in declared:
            reason = f"no such plugin is installed; {nearest(app.name, declared)}"
            if app.name in disabled:
                reason = "the setting 'disabled_plugins' names it; remove it there, or from the release"
        elif reason is None and not app.accepts(declared[app.name].version):
            reason = f"the release wants the version {app.version}, and {declared[app.name].version} is installed"
        if reason is not None:
            raise ConfigurationError(f"release: app {app.name!r} can't start: {reason}")


def release_order(apps: Sequence[App], declared: Mapping[str, Declaration]) -> Iterator[tuple[str, App | None]]:
    """The plugins to start: each app in the order of the release, what it requires before it.

    Args:
        apps: of the release; those that are not declared are left out.
        declared: the plugins that can start, by name; what they require is among them.

    Returns:
        Names, each with its app; ``None`` for what is only required. A name comes again for an app with ``mult``.
    """
    first = {app.name: app for app in reversed(apps)}
    started: set[str] = set()

    def before(name: str) -> Iterator[tuple[str, App | None]]:
        if name in started:
            return
        started.add(name)
        for requirement in declared[name].requirements():
            yield from before(requirement.name)
        yield name, first.get(name)

    for app in apps:
        if app.name in declared:
            yield from before(app.name)
            if app is not first[app.name]:
                yield app.name, app
