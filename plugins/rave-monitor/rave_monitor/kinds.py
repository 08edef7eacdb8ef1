"""Kinds: the classes that a configuration names, by an entry point or by the path of a module."""

from __future__ import annotations

import importlib
import inspect
import typing
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from rave_core.errors import ConfigurationError, describe_error, nearest

T = TypeVar("T")


class KindError(ConfigurationError):
    """A kind can't be found, or its arguments are wrong.

    Attributes:
        argument: the name of the wrong argument; empty if it is the kind itself.
    """

    def __init__(self, message: str, argument: str = "") -> None:
        super().__init__(message)
        self.argument = argument


def find_kind(group: str, kind: str, base: type[T]) -> type[T]:
    """The class of a kind.

    Args:
        group: ``readers``, ``processors`` or ``writers``.
        kind: the name of an entry point of ``rave.monitor.GROUP``, or ``package.module:Class``.
        base: what it has to be a subclass of.

    Raises:
        KindError: there is none, it can't be imported, or it is no such class.
    """
    found = _imported(kind) if ":" in kind else _installed(f"rave.monitor.{group}", kind)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise KindError(f"kind {kind!r} is {found!r}: expected a subclass of rave_monitor.{base.__name__}")
    return found


def _imported(kind: str) -> object:
    module, _, name = kind.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except AttributeError:
        raise KindError(f"kind {kind!r}: the module {module!r} has no {name!r}") from None
    except (Exception, SystemExit) as error:
        raise KindError(f"kind {kind!r} can't be imported: {describe_error(error)}") from error


def _installed(group: str, kind: str) -> object:
    known = {each.name: each for each in entry_points(group=group)}
    if kind not in known:
        raise KindError(f"there is no kind {kind!r}, nor is it 'package.module:Class'; {nearest(kind, known)}")
    try:
        return known[kind].load()
    except (Exception, SystemExit) as error:
        raise KindError(f"kind {kind!r} can't be imported: {describe_error(error)}") from error


def checked_arguments(kind: type, given: Mapping[str, Any], directory: Path) -> tuple[dict[str, Any], list[KindError]]:
    """The arguments for a constructor, converted as it annotates them, and what is wrong with them.

    A path is relative to ``directory``, with ``~`` expanded.
    """
    parameters = {
        name: each for name, each in inspect.signature(kind).parameters.items() if each.kind != each.VAR_KEYWORD
    }
    takes_all = len(parameters) < len(inspect.signature(kind).parameters)
    hints = typing.get_type_hints(kind.__init__)  # type: ignore[misc]  # of the class that is named
    values, mistakes = dict[str, Any](), []
    for name, value in given.items():
        if name not in parameters and not takes_all:
            mistakes.append(KindError(f"unknown argument {name!r}; {nearest(name, parameters)}", name))
            continue
        try:
            values[name] = _converted(value, hints.get(name, Any), directory)
        except (msgspec.ValidationError, TypeError) as error:
            mistakes.append(KindError(f"{name} is {value!r}: {_lowered(str(error))}", name))
    missing = [name for name, each in parameters.items() if each.default is each.empty and name not in given]
    mistakes += [KindError(f"the argument {name!r} is missing") for name in missing]
    return values, mistakes


def _converted(value: object, hint: Any, directory: Path) -> Any:
    if Path in (hint, *typing.get_args(hint)):
        return directory / Path(msgspec.convert(value, str)).expanduser()
    return msgspec.convert(value, hint)


def _lowered(message: str) -> str:
    return message.replace("`", "").replace("Expected", "expected", 1)
