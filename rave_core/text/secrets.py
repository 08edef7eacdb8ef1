"""Hides what gives access in texts that are shown: messages, logs, statistics."""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "***"
_USER = re.compile(r"(?<=://)[^/?#\s'\"]*@")
_LOOSE_USER = re.compile(r"[^\s'\"/@=,\[\]]*:[^\s'\"/@]+@(?=[\w\[])")
"""As in a URL that lacks its slashes."""
_OPTION = re.compile(
    r"([?&][^=&\s'\"]*(?:secret|pass|pwd|token|credential|access_?key|api_?key|signature|(?<=[?&])sig(?==))[^=&\s'\"]*=)[^&#\s'\"]*",
    re.IGNORECASE,
)


def without_secrets(text: str) -> str:
    """``text`` without the users and passwords of URLs, and without the values of options that look like secrets.

    It need not be a URL: a message that quotes one, or the ``repr`` of a list of them, is as good.
    """
    if "@" in text:
        text = _LOOSE_USER.sub(f"{HIDDEN}@", _USER.sub(f"{HIDDEN}@", text))
    return _OPTION.sub(rf"\1{HIDDEN}", text) if "=" in text else text
