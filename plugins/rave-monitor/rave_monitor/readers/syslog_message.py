"""A message of syslog: RFC 5424, and RFC 3164 as programs write it."""

from __future__ import annotations

import re
from typing import Any, Final

_FACILITIES: Final = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "security", "console", "solaris-cron", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
)  # fmt: skip
_SEVERITIES: Final = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_PRIORITY: Final = re.compile(r"<(\d{1,3})>")
_NEW: Final = re.compile(
    r"1 (\S+) (\S+) (\S+) (\S+) (\S+) (-|(?:\[(?:[^\]\\\"]|\"(?:[^\"\\]|\\.)*\")*\])+) ?(.*)", re.DOTALL
)
_OLD: Final = re.compile(
    r"([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+) (\S+) ([^\s:\[]+)(?:\[([^\]]*)\])?: ?(.*)", re.DOTALL
)
_ELEMENT: Final = re.compile(r"\[([^ \]]+)((?:[^\]\\\"]|\"(?:[^\"\\]|\\.)*\")*)\]")
_VALUE: Final = re.compile(r" ([^= ]+)=\"((?:[^\"\\]|\\.)*)\"")


def parse_message(text: str) -> dict[str, Any]:
    """The parts of a message: always ``facility``, ``severity`` and ``message``, and as far as they are there ``time``,
    ``host``, ``program``, ``pid``, ``id`` and ``data``, structured data by element.

    A message in neither form is one of the facility ``user`` and the severity ``notice``, as RFC 3164 says.
    """
    priority = _PRIORITY.match(text)
    number, rest = (int(priority[1]), text[priority.end() :]) if priority else (13, text)
    if number >= 8 * len(_FACILITIES):
        number, rest = 13, text
    about = {"facility": _FACILITIES[number // 8], "severity": _SEVERITIES[number % 8]}
    if new := _NEW.fullmatch(rest):
        names = ("time", "host", "program", "pid", "id")
        found = {name: value for name, value in zip(names, new.groups(), strict=False) if value != "-"}
        data = {} if new[6] == "-" else {"data": _data(new[6])}
        return {**about, **found, **data, "message": new[7].removeprefix("\ufeff")}
    if old := _OLD.fullmatch(rest):
        found = {"time": old[1], "host": old[2], "program": old[3], **({"pid": old[4]} if old[4] else {})}
        return {**about, **found, "message": old[5]}
    return {**about, "message": rest}


def _data(text: str) -> dict[str, dict[str, str]]:
    return {
        name: {key: re.sub(r"\\([\"\\\]])", r"\1", value) for key, value in _VALUE.findall(rest)}
        for name, rest in _ELEMENT.findall(text)
    }
