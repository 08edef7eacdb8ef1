"""Converters: they turn a value, or the text of one, into the type that a specifier names."""

from rave_core.converters.converter import Converter, FunctionConverter, Schema, Written
from rave_core.converters.files import FileContent, FileStat
from rave_core.converters.named import iso_date, iso_datetime
from rave_core.converters.precise import to_size
from rave_core.converters.scalars import any
from rave_core.converters.specifiers import list_of, one_of
from rave_core.converters.times import to_datetime

__all__ = [
    "Converter",
    "FileContent",
    "FileStat",
    "FunctionConverter",
    "Schema",
    "Written",
    "any",
    "iso_date",
    "iso_datetime",
    "list_of",
    "one_of",
    "to_datetime",
    "to_size",
]
