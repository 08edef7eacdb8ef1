"""The INI file that lists directories as namespaces, in the format that `raved` has read since 2007 (R18).

[namespaces]
foo = %(nsroot)s/foo/namespace
bar = /usr/local/home/bar/namespace
"""

from __future__ import annotations

import configparser
import os
import re
from typing import Final

from rave_core.errors import ConfigurationError, nearest
from rave_core.settings.trust import doubt

_SECTION: Final = "namespaces"
_ROOT: Final = "nsroot"
_NO_DEFAULTS: Final = "\0"


def read_namespaces(path: str, root: str | None = None) -> dict[str, str]:
    """Names and absolute directories, as the file at ``path`` lists them, in its order.

    Names keep their case. A relative directory is relative to the file; ``~`` is the home directory. A comment starts
    with ``#`` or ``;`` at the start of a line, or with a blank and ``;`` within it.

    Args:
        path: of the file.
        root: what ``%(nsroot)s`` stands for: the switch ``--namespace-root``.

    Raises:
        ConfigurationError: others may change the file, it can't be read or has a mistake; the message names the line.
    """
    text = _read(path)
    parser = configparser.ConfigParser(default_section=_NO_DEFAULTS, inline_comment_prefixes=(";",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # the documented way to keep the case of names
    try:
        parser.read_string(text, path)
    except configparser.Error as error:
        raise ConfigurationError(_mistake(path, text, error)) from error
    for section in parser.sections():
        if section != _SECTION:
            line = _line_of(text, _header(section))
            raise ConfigurationError(f"{path}, line {line}: unknown section [{section}]; the only one is [{_SECTION}]")
    if not parser.has_section(_SECTION):
        raise ConfigurationError(f"{path} has no section [{_SECTION}]; below it, write name = directory on each line")
    return {name: _directory(path, text, parser, name, root) for name in parser.options(_SECTION)}


def _read(path: str) -> str:
    reason = doubt(path)
    if reason is not None:
        raise ConfigurationError(f"the namespaces file {path} is refused: {reason}")
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read()
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the namespaces file {path} can't be read: {error}") from error


def _mistake(path: str, text: str, error: configparser.Error) -> str:
    if isinstance(error, configparser.DuplicateOptionError):
        first = _line_of(text, _option(error.option))
        return f"{path}: namespace {error.option!r} stands in line {first} and again in line {error.lineno}; keep one"
    if isinstance(error, configparser.DuplicateSectionError):
        first = _line_of(text, _header(error.section))
        return f"{path}: section [{error.section}] starts in line {first} and again in line {error.lineno}; keep one"
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f"{path}, line {error.lineno}: the section [{_SECTION}] has to start before {error.line.strip()!r}"
    if isinstance(error, configparser.ParsingError) and error.errors:
        line = error.errors[0][0]
        return f"{path}, line {line}: expected name = directory, not {text.splitlines()[line - 1].strip()!r}"
    return f"{path}: {error}"


def _directory(path: str, text: str, parser: configparser.ConfigParser, name: str, root: str | None) -> str:
    place = f"{path}, line {_line_of(text, _option(name))}"
    if name == _ROOT:
        raise ConfigurationError(f"{place}: {_ROOT} is what --namespace-root gives; no namespace can be called so")
    try:
        value = parser.get(_SECTION, name, vars=None if root is None else {_ROOT: root.replace("%", "%%")})
    except configparser.InterpolationMissingOptionError as error:
        if error.reference == _ROOT:
            raise ConfigurationError(f"{place}: %(nsroot)s is used; give --namespace-root") from error
        close = nearest(error.reference, [_ROOT])
        raise ConfigurationError(f"{place}: nothing is called %({error.reference})s; {close}") from error
    except configparser.InterpolationDepthError as error:
        raise ConfigurationError(f"{place}: {name!r} is defined by itself") from error
    except configparser.InterpolationError as error:
        raise ConfigurationError(f"{place}: write %% for a percent sign, and %(nsroot)s for the root") from error
    if not value or "\n" in value or "\0" in value:
        raise ConfigurationError(f"{place}: expected {name} = one directory, not {value!r}")
    return os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(path)), os.path.expanduser(value)))


def _option(name: str) -> str:
    return rf"{re.escape(name)}\s*[=:]"


def _header(section: str) -> str:
    return rf"\[{re.escape(section)}\]"


def _line_of(text: str, pattern: str) -> int:
    """The number of the first line that begins with ``pattern``; 1 if there is none."""
    lines = text.splitlines()
    return next((number for number, line in enumerate(lines, 1) if re.match(rf"\s*{pattern}", line)), 1)
