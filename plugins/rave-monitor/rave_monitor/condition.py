"""A condition on samples, such as ``count.rate < 1 and state.is == 'up'``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import msgspec

from rave_core.errors import ConfigurationError
from rave_monitor.sample_history import MISSING, value_at

_COMPARISON: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9_-]*)\.([^\s<>=!]+)\s*(<=|>=|==|!=|<|>)\s*('[^']*'|\S+)\s*")
_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip


class ConditionError(ConfigurationError):
    """A condition can't be read."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison.

    Attributes:
        processor, key: of the value.
        sign: how it is compared.
        right: with what.
    """

    processor: str
    key: str
    sign: str
    right: Any

    def holds(self, latest: Mapping[str, Mapping[str, Any]]) -> bool | None:
        """Whether it is so; ``None`` if there is no such value, or it can't be compared."""
        value = value_at(latest.get(self.processor, {}), self.key)
        if value is MISSING or value is None:
            return None
        try:
            return bool(_OPERATORS[self.sign](value, self.right))
        except TypeError:
            return None


@dataclass(frozen=True, slots=True)
class Condition:
    """Comparisons joined by ``and`` and ``or``, of which ``and`` binds more tightly.

    Attributes:
        text: as it was written.
        cases: it holds if all comparisons of any case do.
    """

    text: str
    cases: tuple[tuple[Comparison, ...], ...]

    @classmethod
    def read(cls, text: str) -> Self:
        """A condition, as written.

        Raises:
            ConditionError: it is none.
        """
        cases = re.split(r"\bor\b", text)
        return cls(text, tuple(tuple(_read(part, text) for part in re.split(r"\band\b", case)) for case in cases))

    @property
    def processors(self) -> set[str]:
        """The names of the processors that it asks."""
        return {each.processor for case in self.cases for each in case}

    def holds(self, latest: Mapping[str, Mapping[str, Any]]) -> bool | None:
        """Whether it is so by the latest samples; ``None`` if that can't be known, because a value is missing."""
        found = [_all([each.holds(latest) for each in case]) for case in self.cases]
        if True in found:
            return True
        return None if None in found else False


def _all(found: list[bool | None]) -> bool | None:
    if False in found:
        return False
    return None if None in found else True


def _read(part: str, text: str) -> Comparison:
    read = _COMPARISON.fullmatch(part)
    if read is None:
        raise ConditionError(f"{text!r} has {part.strip()!r}: expected processor.key < number, such as count.rate < 1")
    processor, key, sign, right = read.groups()
    if right.startswith("'"):
        return Comparison(processor, key, sign, right[1:-1])
    try:
        return Comparison(processor, key, sign, msgspec.json.decode(right.encode()))
    except msgspec.DecodeError:
        raise ConditionError(f"{text!r} has {right!r}: expected a number, true, false, or a text in '…'") from None
