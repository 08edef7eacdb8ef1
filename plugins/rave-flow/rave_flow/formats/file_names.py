"""What files are, by their names: which are read, in what form and compression, and which only look like flows."""

from __future__ import annotations

import enum
import re
from functools import lru_cache

_ROTATED = r"(?:[.-]\d[\dTZ:_.-]*)?"
"""What rotation adds to a name: ``.1``, ``-20240601``, ``.2024-06-01``."""

_PACKED = r"(?:\.(?:gz|zst|bz2|xz|lz4))?"

READ = re.compile(
    rf"^(?P<stem>conn(?!-summary).*)\.(?:log|json|jsonl|ndjson){_ROTATED}{_PACKED}\Z"
    rf"|^(?P<eve>eve(?:[._-].*)?)\.json{_ROTATED}{_PACKED}\Z"
    rf"|^(?P<vpc>.*_vpcflowlogs_.*)\.log{_PACKED}\Z"
    rf"|^(?P<table>.+)\.csv{_ROTATED}{_PACKED}\Z|^(?P<parquet>.+)\.parquet\Z"
    r"|^(?P<netflow>nfcapd\.\d{8,14})\Z"
    r"|^(?P<silk>.+\.(?:rwf|silk))\Z"
    rf"|^(?P<ipfix>.+\.(?:ipfix|yaf)){_PACKED}\Z"
    rf"|^(?P<packets>.+)\.(?:pcap|pcapng|cap){_ROTATED}{_PACKED}\Z",
    re.DOTALL,
)
"""File names that are read."""

KNOWN = (
    "conn*.log, conn*.json, eve*.json, *_vpcflowlogs_*.log, *.csv (or these with .gz, .zst, .bz2, .xz, .lz4, and as "
    "rotation names them), *.parquet, nfcapd.*, *.rwf, *.silk, *.ipfix, *.yaf, *.pcap, *.pcapng"
)
"""The same, in words."""

LIKE = re.compile(
    r"^conn(?!-summary)[._-].*|^conn$|^eve[._-].*json.*|^nfcapd\..+|.+\.(?:csv|parquet|pcap|pcapng|rwf|silk|ipfix|yaf)[.~-].*",
    re.DOTALL,
)
"""File names that look like flows but are not read: skipping them silently would give wrong numbers."""


NAME_LOGS = {
    kind: re.compile(rf"^{kind}(?:[._-].*)?\.(?:log|json|jsonl|ndjson){_ROTATED}{_PACKED}\Z") for kind in ("dns", "ssl")
}
"""File names of Zeek's logs of names."""


class Form(enum.Enum):
    """What a file is, by its name."""

    ZEEK = "zeek"
    CSV = "csv"
    PARQUET = "parquet"
    NETFLOW = "netflow"
    CAPTURE = "capture"
    SILK = "silk"
    IPFIX = "ipfix"


_FORMS = {
    "stem": Form.ZEEK, "eve": Form.ZEEK, "vpc": Form.CSV, "table": Form.CSV, "parquet": Form.PARQUET,
    "netflow": Form.NETFLOW, "packets": Form.CAPTURE, "silk": Form.SILK,
    "ipfix": Form.IPFIX,
}  # fmt: skip


@lru_cache(maxsize=1 << 16)
def form_of_name(name: str) -> Form | None:
    """What a file of that name is; ``None`` if it is not read."""
    found = READ.match(name)
    return None if found is None else _FORMS[str(found.lastgroup)]


def why_not(name: str) -> str | None:
    """Why a file with a name that looks like flows is not read; ``None`` if it does not look so."""
    if READ.match(name.lower()):
        return "names count in small letters; rename it"
    if not LIKE.match(name):
        return None
    if name.startswith("nfcapd.current"):
        return "nfcapd is still writing it"
    if name.endswith((".zip", ".Z", ".lzo", ".7z", ".rar", ".br")):
        return "only .gz, .zst, .bz2, .xz and .lz4 are read; recompress it"
    return "its name is not one of those that are read"
