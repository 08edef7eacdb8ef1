"""Finds the converter of a type specifier or a type hint."""

from __future__ import annotations

import inspect
import types
import typing
from collections import abc
from enum import Enum
from typing import Any, Final

from rave_core.converters.choices import EnumOf, LiteralOf, OneOf
from rave_core.converters.containers import COLLECTIONS, CollectionOf, DictOf, TupleOf
from rave_core.converters.converter import Converter, FunctionConverter, Lookup, NamedConverter, shown
from rave_core.converters.files import PATHS
from rave_core.converters.named import BUILTIN
from rave_core.converters.optional import OrNone
from rave_core.converters.precise import precise
from rave_core.converters.scalars import NONE, SCALARS
from rave_core.converters.scalars import any as any_converter
from rave_core.converters.times import TIMES
from rave_core.errors import DecorationError

_ACCEPTED = (
    "a type, None, a function of one argument, the name of a converter, a type hint, list_of(...), one_of(...) or any"
)
_KINDS: Final[dict[Any, Converter]] = {**SCALARS, **TIMES, **COLLECTIONS, **PATHS, None: NONE, Any: any_converter}
_OWN: Final = (*_KINDS.values(), *BUILTIN.values())
_UNIONS: Final = (typing.Union, types.UnionType)
_WRAPPERS: Final = (typing.Annotated, typing.Required, typing.NotRequired, typing.Final, typing.ClassVar)
_COLLECTIONS: Final[dict[object, type]] = {
    **{kind: kind for kind in (list, tuple, set, frozenset)},
    **dict.fromkeys((abc.Iterable, abc.Collection, abc.Sequence, abc.MutableSequence), list),
    abc.Set: frozenset,
    abc.MutableSet: set,
}
_MAPPINGS: Final = (dict, abc.Mapping, abc.MutableMapping)


def converter_of(spec: object, *, named: Lookup | None = None) -> Converter:
    """The converter that a type specifier means.

    Args:
        spec: a built-in or standard type, ``None``, a function of one argument, the name of a converter, an enum,
            a type hint, or a converter.
        named: finds converters whose names are not the core's, on first use.

    Raises:
        DecorationError: ``spec`` is none of these.
    """
    converter = _read(spec, as_hint=False)
    return converter if named is None else converter.bound(named)


def converter_of_hint(hint: object, *, named: Lookup | None = None) -> Converter:
    """The converter that a type hint means.

    As ``converter_of``, but a class that is not built-in or standard is not called: only its instances are
    accepted.

    Raises:
        DecorationError: no value can be converted to ``hint``.
    """
    converter = _read(hint, as_hint=True)
    return converter if named is None else converter.bound(named)


def is_own(converter: Converter) -> bool:
    """Whether a converter runs only RAVE's own code, which never waits or fails unexpectedly."""
    inner = converter.inner if isinstance(converter, OrNone) else converter
    return any(inner is each for each in _OWN)


def list_of(*specs: object) -> Converter:
    """A list of items of these types in this order; the types repeat if there are more items.

    Raises:
        DecorationError: no type is given, or what is given is none.
    """
    items = _members("list_of", specs)
    return CollectionOf(list, items, f"list_of({', '.join(item.name for item in items)})")


def one_of(*specs: object) -> Converter:
    """The first of these types that accepts the value: put ``None`` before ``str``, which takes everything.

    Raises:
        DecorationError: no type is given, or what is given is none.
    """
    return OneOf(_members("one_of", specs))


def _members(called: str, specs: tuple[object, ...]) -> list[Converter]:
    if not specs:
        raise DecorationError(f"{called}() needs at least one type, as in {called}(int)")
    return [converter_of(spec) for spec in specs]


def _read(spec: Any, *, as_hint: bool) -> Converter:
    if isinstance(spec, Converter):
        return spec
    if isinstance(spec, str):
        return BUILTIN.get(spec) or NamedConverter(spec)
    if isinstance(spec, abc.Hashable) and spec in _KINDS:
        return _KINDS[spec]
    origin = typing.get_origin(spec)
    if origin is not None:
        return _read_alias(spec, origin, as_hint=as_hint)
    if isinstance(spec, type):
        return _read_class(spec, as_hint=as_hint)
    return _read_other(spec, as_hint=as_hint)


def _read_alias(spec: Any, origin: Any, *, as_hint: bool) -> Converter:
    args = typing.get_args(spec)
    if origin in _UNIONS:
        # None first, since a str in front of it would take it.
        ordered = sorted(args, key=lambda arg: arg is not type(None))
        return OneOf([_read(arg, as_hint=as_hint) for arg in ordered], keep_exact=True)
    if origin is typing.Literal:
        return LiteralOf(args)
    if origin in _WRAPPERS:
        return _read(args[0], as_hint=as_hint)
    if origin in _MAPPINGS:
        return DictOf(*[_read(arg, as_hint=as_hint) for arg in args])
    if origin in _COLLECTIONS:
        return _read_collection(_COLLECTIONS[origin], args, as_hint=as_hint)
    if as_hint and isinstance(origin, type):
        return _instance_of(origin)
    raise _refusal(spec)


def _read_collection(kind: type, args: tuple[Any, ...], *, as_hint: bool) -> Converter:
    if not args:
        return COLLECTIONS[kind]
    if kind is tuple and args[-1:] != (...,):
        return TupleOf([_read(arg, as_hint=as_hint) for arg in args])
    item = _read(args[0], as_hint=as_hint)
    return CollectionOf(kind, [item], f"{kind.__name__}[{item.name}]")


def _read_class(kind: type, *, as_hint: bool) -> Converter:
    if issubclass(kind, Enum):
        return EnumOf(kind)
    if typing.is_typeddict(kind) or kind in _MAPPINGS:
        return COLLECTIONS[dict]
    if kind in _COLLECTIONS:
        return COLLECTIONS[_COLLECTIONS[kind]]
    found = precise(kind)
    if found is not None:
        return found
    if as_hint and not issubclass(kind, (int, float, str, bytes)):
        return _instance_of(kind)
    return _calling(kind)


def _read_other(spec: Any, *, as_hint: bool) -> Converter:
    if isinstance(spec, typing.NewType):
        return _read(spec.__supertype__, as_hint=as_hint)
    if type(spec).__name__ == "TypeAliasType":
        return _read(spec.__value__, as_hint=as_hint)
    if isinstance(spec, typing.TypeVar):
        return _read(spec.__bound__ if spec.__bound__ is not None else Any, as_hint=as_hint)
    # The special forms of typing are callable only to say that they are not.
    if callable(spec) and not as_hint and type(spec).__module__ != "typing":
        return _calling(spec)
    raise _refusal(spec)


def _calling(function: Any) -> Converter:
    name = getattr(function, "__name__", None) or type(function).__name__
    try:
        inspect.signature(function).bind(None)
    except TypeError as error:
        raise DecorationError(f"{name} can't be a type: a converter is called with one argument ({error})") from error
    except ValueError:
        pass  # some built-in ones have no signature: the first call shows
    if not isinstance(function, type):
        return FunctionConverter(name, function, volatile=True)  # it may read a file, a clock, a variable
    return FunctionConverter(name, lambda value: value if isinstance(value, function) else function(value))


def _instance_of(kind: type) -> Converter:
    if getattr(kind, "_is_protocol", False) and not getattr(kind, "_is_runtime_protocol", False):
        return any_converter

    def convert(value: Any) -> Any:
        if not isinstance(value, kind):
            raise TypeError(f"only an instance of {kind.__name__} is accepted")
        return value

    return FunctionConverter(kind.__name__, convert)


def _refusal(spec: object) -> DecorationError:
    return DecorationError(f"{shown(spec)} is not a type specifier; accepted: {_ACCEPTED}")
