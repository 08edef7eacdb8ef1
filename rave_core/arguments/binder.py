"""Turns a caller's arguments into a call: binds them, adds defaults, converts them and makes the key."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from types import CellType, ModuleType
from typing import Any

from rave_core.converters.specifiers import is_own
from rave_core.errors import ArgumentError, UnencodableError
from rave_core.fingerprint import digest
from rave_core.fingerprint.encoder import digest_with_code
from rave_core.model import Call, Key, OperationSpec
from rave_core.typemap import FittedTypeMap

_KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY
_VAR_POSITIONAL = inspect.Parameter.VAR_POSITIONAL
_VAR_KEYWORD = inspect.Parameter.VAR_KEYWORD


class Binder:
    """Binds the arguments of one operation, under the name and version that it has in one runtime."""

    def __init__(
        self,
        spec: OperationSpec,
        name: str,
        version: str,
        *,
        typemap: FittedTypeMap | None,
        unencodable: Callable[[UnencodableError], None],
        code_of: Callable[[Iterable[object]], str] | None = None,
    ) -> None:
        """Makes a binder.

        Args:
            spec, name, version: of the operation.
            typemap: converts the arguments, or ``None``.
            unencodable: called if a call gets no key.
            code_of: digests the functions and classes found in arguments; gives an empty text if there are none.
        """
        self._code_of = code_of
        self._spec = spec
        self.name = name
        self.version = version
        self._typemap = typemap
        self._unencodable = unencodable
        self._kinds = {parameter.name: parameter.kind for parameter in spec.parameters}
        self._plain = _plain_names(spec.parameters)
        self._defaults = _defaults(spec.parameters)
        self._closure = _closure(spec.function)
        self.is_own = not self._closure and (typemap is None or all(map(is_own, typemap.converters.values())))
        """Whether binding runs only RAVE's own code, which never waits or fails unexpectedly."""
        self.is_repeatable = not self._closure and not (
            typemap and any(c.volatile for c in typemap.converters.values())
        )
        """Whether equal arguments always bind to the same call, so that a binding may be kept."""

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        """The call that these arguments make; without a key if one of them has no canonical encoding.

        You can pass a single call of this operation instead: its arguments are used as they were bound.

        Raises:
            ArgumentError: the arguments do not fit the signature, or one can't be converted.
        """
        if len(args) == 1 and type(args[0]) is Call and args[0].spec is self._spec:
            return self._bound_again(args[0], kwargs)
        given = self._given(args, kwargs)
        return self._made(self._defaulted(given if self._typemap is None else self._typemap.convert(given, self.name)))

    def bind_converted(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
        """As `bind`, for arguments that are converted already: not every converter accepts its own result.

        Raises:
            ArgumentError: the arguments do not fit the signature.
        """
        return self._made(self._defaulted(self._given(args, kwargs)))

    def _bound_again(self, call: Call, kwargs: Mapping[str, Any]) -> Call:
        if kwargs:
            raise ArgumentError(
                f"{self.name}: a bound call has all its arguments; {next(iter(kwargs))!r} is one too many",
                operation=self.name,
            )
        return self._made(call.named)  # another runtime's binding has another key

    def _made(self, named: Mapping[str, Any]) -> Call:
        args, kwargs = self._spread(named)
        return Call(self._spec, self._key(named), args, kwargs, named)

    def _given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments that the caller gave, by parameter."""
        if not kwargs and self._plain is not None and len(args) == len(self._plain):
            return dict(zip(self._plain, args, strict=True))
        try:
            bound = self._spec.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ArgumentError(
                f"{self.name}: {error}; its arguments are {self._spec.usage}", operation=self.name
            ) from None
        return bound.arguments

    def _defaulted(self, converted: Mapping[str, Any]) -> Mapping[str, Any]:
        """All arguments in the order of the signature, with converted defaults for those not given."""
        if len(converted) == len(self._kinds):
            return converted
        defaults: Mapping[str, Any] = self._defaults
        if self._typemap is not None:
            missing = [name for name in self._kinds if name not in converted]
            defaults = {**defaults, **self._typemap.defaults.omitted(missing, self.name)}
        return {name: converted[name] if name in converted else defaults[name] for name in self._kinds}

    def _spread(self, named: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if self._plain is not None:
            return tuple(named.values()), {}
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for name, value in named.items():
            kind = self._kinds[name]
            if kind is _VAR_POSITIONAL:
                args.extend(value)
            elif kind is _VAR_KEYWORD:
                kwargs.update(value)
            elif kind is _KEYWORD_ONLY:
                kwargs[name] = value
            else:
                args.append(value)
        return tuple(args), kwargs

    def _key(self, named: Mapping[str, Any]) -> Key | None:
        ignore = self._spec.ignore
        items: Iterable[tuple[str, Any]] = named.items()
        if ignore:
            items = [(name, self._counted(name, value)) for name, value in items if name not in ignore]
        try:
            if self._closure:
                items = [*items, *((f"<closure>.{name}", cell.cell_contents) for name, cell in self._closure)]
            return Key(self.name, self.version, self._digest(items))
        except UnencodableError as error:
            self._unencodable(error)
        except ValueError:
            self._unencodable(UnencodableError("a captured variable has no value yet", "args.<closure>"))
        return None

    def _digest(self, items: Iterable[tuple[str, Any]]) -> str:
        return digest(items) if self._code_of is None else digest_with_code(items, self._code_of)

    def _counted(self, name: str, value: Any) -> Any:
        """An argument as it counts for the key: what ``**kwargs`` took, without the ignored ones."""
        if self._kinds[name] is not _VAR_KEYWORD:
            return value
        return {key: given for key, given in value.items() if key not in self._spec.ignore}


def _plain_names(parameters: tuple[inspect.Parameter, ...]) -> tuple[str, ...] | None:
    """The names, if every parameter can be given by position; else ``None``."""
    if any(p.kind in (_KEYWORD_ONLY, _VAR_POSITIONAL, _VAR_KEYWORD) for p in parameters):
        return None
    return tuple(p.name for p in parameters)


def _defaults(parameters: tuple[inspect.Parameter, ...]) -> dict[str, Any]:
    defaults: dict[str, Any] = {p.name: p.default for p in parameters if p.default is not p.empty}
    defaults |= {p.name: () for p in parameters if p.kind is _VAR_POSITIONAL}
    defaults |= {p.name: {} for p in parameters if p.kind is _VAR_KEYWORD}
    return defaults


def _closure(function: Callable[..., Any]) -> list[tuple[str, Any]]:
    """The values that a function and those it wraps captured, which act like arguments, without these functions."""
    captured: list[tuple[str, Any]] = []
    following: Any = function
    while (function := following) is not None:
        owner = getattr(function, "__self__", None)
        if owner is not None and not isinstance(owner, ModuleType):
            captured.append(("self", CellType(owner)))
        cells = getattr(function, "__closure__", None) or ()
        names = function.__code__.co_freevars if cells else ()
        wrapped = getattr(function, "__wrapped__", None)
        captured += [
            (name, cell)
            for name, cell in zip(names, cells, strict=True)
            if not (_holds_itself(cell, function) or (wrapped is not None and _holds(cell, wrapped)))
        ]
        following = wrapped
    return captured


def _holds_itself(cell: CellType, function: object) -> bool:
    """Whether a function captured itself, bare or decorated; its name does not show that."""
    try:
        held: object = cell.cell_contents
    except ValueError:
        return False
    while held is not None and held is not function:
        held = getattr(held, "__wrapped__", None)
    return held is function


def _holds(cell: CellType, value: object) -> bool:
    try:
        return cell.cell_contents is value
    except ValueError:
        return False
