"""What a plugin may implement. Each function here is a hook of the pluggy project ``rave``.

A plugin is a module or object found through the entry-point group ``rave.plugins``; it implements any of these
hooks under the same name, with ``hookimpl`` as decorator and any subset of the parameters.

    from rave_core.hookspecs import hookimpl

    @hookimpl
    def rave_register_backends(registry):
        registry.add("redis", open_redis, origin=__name__)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from rave_core.backend import Backend, BackendFactory
    from rave_core.clock import Clock
    from rave_core.codecs import Codecs
    from rave_core.events import BusFactory
    from rave_core.lifecycle import Declaration, PluginContext, Service
    from rave_core.model import Call, Entry, Key, OperationSpec, Outcome
    from rave_core.registry import Registry
    from rave_core.settings import Settings

__all__ = [
    "hookimpl",
    "hookspec",
    "rave_ask_service",
    "rave_backend_failed",
    "rave_called",
    "rave_check_settings",
    "rave_choose_backend",
    "rave_compute",
    "rave_default_strategy",
    "rave_drain",
    "rave_entry_stored",
    "rave_layer_backends",
    "rave_operation_version",
    "rave_plugin",
    "rave_register_backends",
    "rave_register_buses",
    "rave_register_codecs",
    "rave_register_commands",
    "rave_register_converters",
    "rave_register_documents",
    "rave_register_pools",
    "rave_register_strategies",
    "rave_register_versions",
    "rave_services",
    "rave_start",
    "rave_stop",
]

hookspec = pluggy.HookspecMarker("rave")
hookimpl = pluggy.HookimplMarker("rave")


# Registrations. Called once, when the plugins are loaded; a duplicate name is an error that names both sides.


@hookspec
def rave_register_backends(registry: Registry[BackendFactory]) -> None:
    """Adds cache backends by URL scheme: ``registry.add("s3", factory, origin=__name__)``."""


@hookspec
def rave_register_buses(registry: Registry[BusFactory]) -> None:
    """Adds buses by URL scheme, for the setting ``events``: ``registry.add("valkey", factory, origin=__name__)``."""


@hookspec
def rave_register_codecs(registry: Codecs) -> None:
    """Adds codecs (`rave_core.codecs.Codec`), which are asked before the built-in ones.

    A codec brings its own name: ``registry.add(codec, origin=__name__)``.
    """


@hookspec
def rave_register_strategies(registry: Registry[Callable[..., float]]) -> None:
    """Adds expiration strategies by name, for ``@expires("name")`` and configuration."""


@hookspec
def rave_register_versions(registry: Registry[Callable[[OperationSpec], bytes]]) -> None:
    """Adds version strategies by name: from an operation to bytes that change when its code does."""


@hookspec
def rave_register_converters(registry: Registry[Any]) -> None:
    """Adds type converters by name, for ``@typemap("name")``."""


@hookspec
def rave_register_commands(registry: Registry[Any]) -> None:
    """Adds click commands to the ``rave`` command line, by name."""


@hookspec
def rave_register_documents(registry: Registry[Callable[[str, Clock], object]]) -> None:
    """Adds document stores by URL scheme: ``registry.add("sqlite", factory, origin=__name__)``.

    A factory is a `rave_core.documents.DocumentFactory`.
    """


@hookspec
def rave_register_pools(registry: Registry[Callable[[Settings], object]]) -> None:
    """Adds pools by name, for `rave_core.map`: ``registry.add("dask", factory, origin=__name__)``.

    A factory is a `rave_core.PoolFactory`.
    """


@hookspec
def rave_check_settings(settings: Settings) -> None:
    """Returns if what the settings say to the plugin is right, such as its table ``[plugins.NAME]``.

    ``rave doctor``, ``rave config`` and the start of a service ask, of each plugin by itself. An implementation changes
    nothing and connects to nothing.

    Raises:
        ConfigurationError: something is wrong; the message says where it stands, and what would be right.
    """


# Questions. The first answer that is not ``None`` counts; ``None`` says "not mine".


@hookspec(firstresult=True)
def rave_layer_backends(backends: list[Backend]) -> Backend | None:
    """One backend out of those that a cache's URLs name, small and near first; also asked where they name one only."""


@hookspec(firstresult=True)
def rave_choose_backend(spec: OperationSpec) -> str | None:
    """The URL of the backend that keeps this operation's results, in place of the configured one."""


@hookspec(firstresult=True)
def rave_default_strategy(spec: OperationSpec) -> Callable[..., float] | str | None:
    """The expiration strategy of an operation that names none: a strategy, its name, or a duration."""


@hookspec(firstresult=True)
def rave_operation_version(spec: OperationSpec) -> bytes | None:
    """The version of an operation that has no ``@version``, in place of the configured strategy."""


@hookspec(firstresult=True)
def rave_compute(call: Call) -> tuple[Any] | None:
    """Computes a call in place of running its body. The value comes boxed, since ``None`` is a value."""


@hookspec(firstresult=True)
def rave_ask_service(url: str, operation: str, texts: Sequence[tuple[str, str]], wish: str) -> object | None:
    """What a service at ``url`` answers, for ``%rave --server``; raise a `RaveError` if it does not.

    ``texts`` are arguments by name. ``wish`` is ``result``, ``refresh``, ``deep-refresh``, ``dry-run``, ``explain`` or
    ``plan``. The notebook shows what is returned.
    """


# Observers. What they return is ignored; what they raise is logged and goes no further.


@hookspec
def rave_called(call: Call, outcome: Outcome[Any], seconds: float) -> None:
    """A call was answered, after ``seconds``. Implementing it takes the shortcut for memory hits away."""


@hookspec
def rave_entry_stored(key: Key, entry: Entry) -> None:
    """An entry was put into a cache."""


@hookspec
def rave_backend_failed(backend: str, action: str, error: Exception) -> None:
    """A backend (by URL) failed to do something, and the engine did without."""


# The life of a plugin, in processes that run for long: workers, services and shells. Never called by a plain program.


@hookspec
def rave_plugin() -> Declaration | None:
    """What the plugin is, and which others have to run before it. Without one, it has no requirements."""


@hookspec
def rave_start(context: PluginContext) -> None:
    """Starts the plugin, once in each process, after those that it requires.

    If it raises an exception, this plugin and those that require it do not run; all others do.
    """


@hookspec
def rave_drain(seconds: float) -> None:
    """The process stops in about ``seconds``: begin nothing new. Called in reverse order of the start."""


@hookspec
def rave_stop(context: PluginContext) -> None:
    """Stops the plugin, in reverse order of the start. Only a plugin that started is stopped."""


@hookspec
def rave_services(context: PluginContext) -> Sequence[Service] | None:
    """What the plugin runs beside the workers. Called in the process that runs it, once the plugin has started."""
