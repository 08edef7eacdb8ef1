"""Determines the version of an operation: by its annotation, a plugin, or the configured strategy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial

from rave_core.errors import ConfigurationError, UnencodableError, UnknownNameError, describe_error
from rave_core.fingerprint.encoder import encode, short_digest
from rave_core.fingerprint.met_code import collecting
from rave_core.model import Call, OperationSpec
from rave_core.plugins.discovery import Plugins
from rave_core.reloading.generations import as_loaded
from rave_core.runtime.argument_code import ArgumentCode
from rave_core.settings import Settings
from rave_core.settings.sources import user_directory
from rave_core.versions.annotations import ByStrategy, DependsOn, Explicit, Pinned, explicit
from rave_core.versions.loaded_files import loaded_files
from rave_core.versions.manifests import manifests
from rave_core.versions.source.classes import is_of_project
from rave_core.versions.source.closure import Closure, ClosureRequest, closure_of
from rave_core.versions.source.loaded_source import keep_facts_in
from rave_core.versions.source.locality import Locality
from rave_core.versions.source.modules import has_file
from rave_core.versions.version import Version

SOURCE = "source"


class VersionFinder:
    """Determines versions with the settings and plugins of one runtime."""

    def __init__(self, settings: Settings, plugins: Plugins) -> None:
        self._settings = settings
        self._plugins = plugins
        self._arguments = ArgumentCode(self._argument_request)
        directory = user_directory("cache", os.environ)
        keep_facts_in(directory / "facts")
        manifests.directory = directory / "manifests"

    def code_changed(self) -> None:
        """Forgets the digests of code in arguments."""
        self._arguments.clear()

    def argument_code(self, spec: OperationSpec) -> Callable[[Iterable[object]], str]:
        """The function that digests functions and classes in the arguments of an operation's calls.

        Under an explicit version classes do not count.
        """
        return partial(self._arguments.digest, home=_home(spec), has_classes=not isinstance(spec.version, Explicit))

    def argument_nodes(self, call: Call) -> Mapping[str, str]:
        """What counts of the code in the arguments of a call, by label."""
        spec = call.spec
        with collecting() as met, suppress(UnencodableError):
            encode(dict(call.named))
        return self._arguments.nodes(met.values(), home=_home(spec), has_classes=not isinstance(spec.version, Explicit))

    def _argument_request(self, thing: object, home: str) -> ClosureRequest | None:
        locality = self._locality(home)
        if isinstance(thing, type) and not is_of_project(thing, locality):
            return None
        return ClosureRequest(roots=(thing,), locality=locality, answer=self._answer, is_captured_in_key=True)

    def _locality(self, home: str) -> Locality:
        settings = self._settings
        return Locality(
            home=home,
            project=frozenset(settings.version_project),
            releases=settings.version_packages == "release",
            python=settings.version_python,
        )

    def check(self, spec: OperationSpec) -> None:
        """Raises as `find` would, without following the operation's code. Notes what has been loaded by now."""
        loaded_files.note()
        if not isinstance(spec.version, Pinned):
            self._own(spec)

    def find(self, spec: OperationSpec) -> Version:
        """The version of an operation, according to the code loaded now.

        Raises:
            ConfigurationError: it names a strategy that does not exist.
            DecorationError: its explicit version can't be pickled.
        """
        loaded_files.note()
        surprises = loaded_files.surprises
        return replace(self._found(spec), surprises=surprises)

    def _found(self, spec: OperationSpec) -> Version:
        note = spec.version
        if isinstance(note, Pinned):
            return Version(note.version, note.note)
        own, told = self._own(spec)
        depends: DependsOn | None = spec.annotations.get("depends_on")
        follows = own is None or self._is_loose(spec)
        if not follows and depends is None:
            return Version(short_digest(own or b""), told)
        request = self._request(spec, depends or DependsOn(), follows=follows)
        try:
            closure = closure_of(request)
        except Exception as error:  # noqa: BLE001  # third-party code failed; its file serves instead
            return self._coarse(spec, told, own, error)
        return self._of_closure(closure, own, told, follows=follows)

    def _of_closure(self, closure: Closure, own: bytes | None, told: str, *, follows: bool) -> Version:
        untracked = dict(closure.untracked)
        if own is not None and follows:
            why = "there is no file, so what the operation reaches counts beside the value; a name= would make it one"
            untracked = {"@version alone": why} | untracked
        data = b"source:" + closure.digest if own is None else own + b"+source:" + closure.digest
        return Version(short_digest(data), told, closure.nodes, untracked, closure.guards, closure.packages)

    def _coarse(self, spec: OperationSpec, told: str, own: bytes | None, error: Exception) -> Version:
        data = own if own is not None else b"file:" + self._by_strategy("file", spec)
        why = f"{describe_error(error)}; the content of the defining file counts"
        return Version(short_digest(data), told if own is not None else "file", {}, {"what the operation reaches": why})

    def _own(self, spec: OperationSpec) -> tuple[bytes | None, str]:
        """The bytes that decide without following code (``None`` to follow it), and the name that an entry records."""
        note = spec.version
        if isinstance(note, Explicit):
            return explicit(note.value, encode), f"explicit {str(note.value)[:60]}"
        if not isinstance(note, ByStrategy):
            answer = self._plugins.hooks.rave_operation_version(spec=as_loaded(spec))
            if answer is not None:
                return b"plugin:" + answer, "plugin"
        name = note.name if isinstance(note, ByStrategy) else self._settings.version
        if name == SOURCE:
            return None, SOURCE
        return name.encode() + b":" + self._by_strategy(name, spec), name

    def _by_strategy(self, name: str, spec: OperationSpec) -> bytes:
        try:
            return self._plugins.versions.find(name)(as_loaded(spec))
        except UnknownNameError as error:
            raise ConfigurationError(f"{spec.name}: {error}") from error

    def _is_loose(self, spec: OperationSpec) -> bool:
        """Whether an explicit version could belong to another notebook's operation with the same name."""
        if not isinstance(spec.version, Explicit) or spec.fixed_name:
            return False
        space = getattr(spec.function, "__globals__", {})
        return space.get("__name__") == "__main__" and not has_file(space)

    def _request(self, spec: OperationSpec, depends: DependsOn, *, follows: bool) -> ClosureRequest:
        return ClosureRequest(
            roots=((spec.function,) if follows else ()) + depends.things,
            names=depends.names,
            files=[os.path.join(os.path.dirname(spec.code.path or ""), path) for path in depends.files],
            ignore=depends.ignore,
            locality=self._locality(_home(spec)),
            answer=self._answer,
            is_captured_in_key=follows,
        )

    def _answer(self, spec: OperationSpec) -> bytes | None:
        if isinstance(spec.version, Pinned):
            return spec.version.version.encode()
        own, _ = self._own(spec)
        return None if self._is_loose(spec) else own


def _home(spec: OperationSpec) -> str:
    """The top-level package of an operation."""
    return (spec.function.__module__ or "").partition(".")[0]
