"""Values that came out of JSON, checked against JSON Schema 2020-12 by the library jsonschema.

Only this module and `rave_http.description.sound_schema` use jsonschema. It is imported when a schema is first used: a
service that only gets GET requests never imports it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from rave_core.converters.times import to_date, to_datetime, to_time
from rave_core.errors import nearest
from rave_http.description.json_schema import Schema, in_words

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, FormatChecker
    from jsonschema.exceptions import ValidationError

Steps: TypeAlias = "tuple[str | int, ...]"

_COMPARED: Final = 20  # misfits among which the outermost is looked for
_LONGEST: Final = 300
_IN_WORDS: Final = frozenset(
    {"type", "enum", "const", "anyOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
)

# The converters of RAVE decide what is valid in a format: a time without a zone is, too.
_READERS: Final[Mapping[str, Callable[[str], object]]] = {
    "date": to_date,
    "date-time": to_datetime,
    "time": to_time,
    "uuid": UUID,
}


_DATE: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME: Final = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
_STRICT: Final = {"date": _DATE, "date-time": f"{_DATE}[Tt]{_TIME}", "time": _TIME}
"""How RFC 3339 writes them: times have seconds and a zone."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """Something in a value that a schema does not allow.

    Attributes:
        steps: the location: names of members and positions of items, from the outside in.
        detail: what is wrong, and what would be right.
    """

    steps: Steps
    detail: str

    @property
    def path(self) -> str:
        """Where, as in ``numbers[3]``; empty for the value as a whole."""
        first = str(self.steps[0]) if self.steps else ""
        path = first + "".join(f"[{step!r}]" for step in self.steps[1:])
        return path if len(path) <= _LONGEST else f"{path[:_LONGEST]}…"

    @property
    def pointer(self) -> str:
        """Where, as a JSON Pointer (RFC 6901): ``/numbers/3``."""
        return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in self.steps)


class SchemaValidator:
    """One schema, prepared once for many values. Every keyword counts. Safe for threads.

    It checks the formats that jsonschema supports without extras, such as ``ipv4``, ``email`` and ``regex``. It parses
    dates and times as RAVE's converters do, unless it is strict. An unknown format refuses nothing.
    """

    def __init__(self, schema: Schema, *, is_strict: bool = False) -> None:
        """Takes a schema as `rave_http.description.sound_schema.sound` gives it.

        Args:
            schema: the schema.
            is_strict: whether dates and times have to be written as RFC 3339 says, which other tools may insist on.
        """
        self._validator = _class()(schema, format_checker=_strict_formats() if is_strict else _formats())

    def misfits(self, value: Any, steps: Steps = ()) -> Iterator[Misfit]:
        """What is wrong with ``value``, which is found at ``steps``; nothing if it fits."""
        for error in self._validator.iter_errors(value):
            yield _misfit(error, steps)

    def outermost(self, value: Any, steps: Steps = ()) -> Misfit | None:
        """The misfit that is nearest to the value as a whole, among the first ones; ``None`` if the value fits."""
        return min(islice(self.misfits(value, steps), _COMPARED), key=lambda each: len(each.steps), default=None)

    def accepts(self, value: Any) -> bool:
        """Whether there is nothing wrong with ``value``."""
        return next(self._validator.iter_errors(value), None) is None


def _misfit(error: ValidationError, steps: Steps) -> Misfit:
    place = (*steps, *error.absolute_path)
    keyword: Any = error.validator
    schema: Any = error.schema
    value: Any = error.instance
    if keyword == "required":
        missing = next(name for name in schema["required"] if name not in value and repr(name) in error.message)
        return Misfit((*place, missing), "it is missing")
    if keyword == "additionalProperties" and error.validator_value is False and "patternProperties" not in schema:
        known = schema.get("properties", {})
        unknown = next(name for name in value if name not in known)
        return Misfit((*place, unknown), f"there is no such member; {nearest(unknown[:80], known)}")
    return Misfit(place, _detail(keyword, schema, value) or error.message[:_LONGEST])


def _detail(keyword: object, schema: Any, value: Any) -> str:
    """What is wrong, in clearer words than the library's where we have them."""
    if isinstance(schema, bool):
        return "nothing is accepted here"
    if keyword in _IN_WORDS:
        return f"{_shown(value)} is not {in_words(schema)}"
    if keyword == "format":
        return f"{_shown(value)} is not {in_words({'type': 'string', 'format': schema['format']})}"
    if keyword == "pattern":
        return f"{_shown(value)} is not written as it has to be, by the pattern {schema['pattern']}"
    if keyword in ("minItems", "maxItems", "minLength", "maxLength"):
        unit = str(keyword)[3:]
        noun = "items" if unit == "Items" else "characters"
        wanted = _range(schema.get(f"min{unit}", 0), schema.get(f"max{unit}", math.inf))
        return f"it has {len(value)} {noun}, and {wanted} are wanted"
    return ""


def _range(least: float, most: float) -> str:
    if least == most:
        return f"exactly {least}"
    return f"at least {least}" if math.isinf(most) else f"{least} to {most}" if least else f"at most {most}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:60]}…"


@cache
def _class() -> type[Draft202012Validator]:
    """jsonschema's validator, with some keywords adapted to bodies with very many values."""
    from jsonschema import Draft202012Validator, validators

    quick = {"items": _items, "uniqueItems": _unique_items, "anyOf": _any_of, "oneOf": _one_of}
    made: type[Draft202012Validator] = validators.extend(Draft202012Validator, quick)  # type: ignore[no-untyped-call]  # the stubs' own omission
    return made


@cache
def _formats() -> FormatChecker:
    from jsonschema import Draft202012Validator, FormatChecker

    checker = FormatChecker(())
    checker.checkers = dict(Draft202012Validator.FORMAT_CHECKER.checkers)
    for name, read in _READERS.items():
        checker.checkers[name] = (_reading(read), ValueError)
    return checker


@cache
def _strict_formats() -> FormatChecker:
    from jsonschema import FormatChecker

    checker = FormatChecker(())
    checker.checkers = dict(_formats().checkers)
    for name, pattern in _STRICT.items():
        checker.checkers[name] = (_reading(partial(_read_strictly, re.compile(pattern), _READERS[name])), ValueError)
    return checker


def _read_strictly(pattern: re.Pattern[str], read: Callable[[str], object], text: str) -> object:
    return read(text) if pattern.fullmatch(text) else None


def _reading(read: Callable[[str], object]) -> Callable[[object], bool]:
    def is_readable(value: object) -> bool:
        try:
            return not isinstance(value, str) or read(value) is not None
        except TypeError as error:  # a time of day in place of a date
            raise ValueError from error

    return is_readable


def _items(validator: Any, items: Schema, value: Any, schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    """As the library's own, but prepares the schema of the items once for all of them."""
    if not validator.is_type(value, "array"):
        return
    first = len(schema.get("prefixItems", ()))
    ready = validator.evolve(schema=items)
    for index in range(first, len(value)):
        for error in ready.iter_errors(value[index]):
            error.path.appendleft(index)
            error.schema_path.appendleft("items")
            yield error


def _any_of(validator: Any, choices: Sequence[Schema], value: Any, schema: object) -> Iterator[ValidationError]:  # noqa: ARG001  # as jsonschema calls it
    """As the library's own, but it does not gather all that is wrong by each of the schemas."""
    if not any(validator.evolve(schema=each).is_valid(value) for each in choices):
        yield _error("it fits none of the schemas of which it has to fit one")


def _one_of(validator: Any, choices: Sequence[Schema], value: Any, schema: object) -> Iterator[ValidationError]:  # noqa: ARG001  # as jsonschema calls it
    """As the library's own, likewise."""
    fitting = sum(validator.evolve(schema=each).is_valid(value) for each in choices)
    if fitting != 1:
        yield _error(f"it fits {fitting} of the schemas of which it has to fit exactly one")


def _error(message: str) -> ValidationError:
    from jsonschema.exceptions import ValidationError

    return ValidationError(message)


def _unique_items(validator: Any, wanted: bool, value: Any, schema: object) -> Iterator[ValidationError]:  # noqa: ARG001  # as jsonschema calls it
    """As the library's own, but it takes no longer for objects, which have no order."""
    if wanted and validator.is_type(value, "array"):
        seen: set[Hashable] = set()
        for item in map(_frozen, value):
            if item in seen:
                yield _error("it has the same item twice, and each may be there once")
                return
            seen.add(item)


def _frozen(value: Any) -> Hashable:
    """A value that is equal to another just if both are the same in JSON, for which 1 is 1.0 and is not true."""
    if isinstance(value, dict):
        return frozenset((name, _frozen(item)) for name, item in value.items())
    if isinstance(value, list):
        return list, *map(_frozen, value)
    return (bool, value) if isinstance(value, bool) else value
