"""Converters: from a type specifier to what turns a value, or the text of one, into that type."""

from rave_core.converters.converter import Converter, FunctionConverter, NamedConverter, Schema, shown
from rave_core.converters.files import FileContent, FileStat
from rave_core.converters.named import BUILTIN, iso_date, iso_datetime
from rave_core.converters.optional import OrNone
from rave_core.converters.precise import to_size
from rave_core.converters.scalars import any
from rave_core.converters.specifiers import converter_of, converter_of_hint, list_of, one_of
from rave_core.converters.times import to_datetime

__all__ = [
    "BUILTIN",
    "Converter",
    "FileContent",
    "FileStat",
    "FunctionConverter",
    "NamedConverter",
    "OrNone",
    "Schema",
    "any",
    "converter_of",
    "converter_of_hint",
    "iso_date",
    "iso_datetime",
    "list_of",
    "one_of",
    "shown",
    "to_datetime",
    "to_size",
]
