"""NetFlow files, as nfcapd 1.7.1 wrote them of packets that were sent to it: zlib, in base64."""

from __future__ import annotations

import zlib
from base64 import b64decode
from pathlib import Path

SENT = 1796044848
"""Unix time from which the flows in all of them count; the packets came in a few seconds later."""

V5 = (
    "eNrjWcrEwMDIzmhQwZvNAAaMYHINhIKLsAJxBZDBDKTZGRTAfCT5ehDNBNXLzZDBwAIRZ2VkMGFY0TdXZxGQM2EahI5qgdBcUP0vmCG045zdjGzS"
    "IHN4GLiYGA6wpxgfY2EQAZvKhGQfDwMH2E50e2DmT5iFag/UeAYdqJ+cQPYIkW/PnAkQc3UmodoDCzI3KO08x5RBkAFiDzcR9nAAw5WRAWEOjIa5"
    "H6RnLpTP2MDJkJefl8rA1DAFriAKGit8SBqQDUIHIqyoDkYHvAT0wyMWGuAwAAAVtDTL"
)
"""NetFlow v5 of a router whose uptime wrapped.

Its uptime is 4.096 s, and its clock says `SENT` + 10 s: the uptime wrapped at `SENT` + 5.904 s. A flow of 10
packets and 1000 bytes from 1000 ms before that to 1.024 s after, one of 3 and 300 from 1.024 to 2.048 s after,
and one of 1 and 70 from 500 to 100 ms before.
"""

V9 = (
    "eNrjWcrEwMDIzmhcwZvNAAaMYLIAQsFFWIHYBshgBtLsDAoMnAwo8vUgmgnIAqnlZggBqWMEsjmZGHgYuJgYDrCnGB9jZDBhWNE3V2cRUGLCNAgd"
    "2g+huaBmvWCG0I5zdjOySTMAdXOAzcdnJsysCbNQzYQaxaAD9YsTyEwh3GZyI5k5Z8JcncVACZ1JEBpmJixY3KC08xxTBkEGhJkcwLBhZECog9Ew"
    "twBDm2EulM/YwMmQl5+XysDUMAWuIIoVQvMhaUA2CB2IsKI6CB3wEtAPixCYR2EAAL9yM4M="
)
"""The same three in NetFlow v9."""

LATE = (
    "eNrjWcrEwMDIznikhjebAQwYwaQLhIKLsACxAJDBDKTZGRQYWBlQ5OtBNBNULzdDBlg9kMfKyGDCYPF/rc5CIEfg31qdRUD6b+p6MM0F1f+CGUI7"
    "ztnNyCYNMoeHgYuJ4QB7ivExFgYRsKlMSPbxMHCA7US3B2Y+C8M6FHugxjPoQP3kBLJHiHh7OID+ZYSHDIJmQqLnMkDsYWzgZMjLz0tlYGqYAlcg"
    "Ag0tXjSNuIAIK355XgL6YQEOCwgYAADjYib7"
)
"""NetFlow v5 of a router whose clock says `SENT` + 1182 s, and that started 600 s before.

A flow of 10 packets and 1000 bytes that starts 500.296 s after that, and ends at 500 s: nfdump takes it for 49.7 days
long. One of 3 and 300 from 500 to 500.5 s.
"""

BIFLOW = (
    "eNrjWcrEwMDIzmhWwZvNAAaMYDIEQsFFWIBYAchgBtLsDAoMXAwo8vUgmgnIAqnlZigAqweyuZgYeEDEAfYU42OMDCYMVTVzdRYBJezaIHTQLAjN"
    "AzXrDiuEdpyzm5FNmoGBlUGGAeYUTijtIA+heRg4wHZjs48Dal9GPcR8GA2zD2amBpR2mhPAwMaAah86gNnHAfQ/IwPCDBjNhETPZYCEFWMDJ0Ne"
    "fl4qA1PDFLgCF1UILYamERdgYcMvz0tAP3qgwwAAJmEmHQ=="
)
"""IPFIX with the reverse elements of RFC 5103.

One flow of 12 packets and 1500 bytes, answered by 9 and 8000, from `SENT` + 0.25 to 2.75 s; one of 1 and 40 at
`SENT` + 1 s that nobody answered.
"""

NSEL = (
    "eNrjWcrEwMDIzmhZwZvNAAaMYJKDmQEOQCLsQHwFqJQZzFZg4GRAka8H0UxAFkgtN0MLAytQGMjjFGYQYWionquziBFmMiNQHQ8DFxPDAfYU42OM"
    "DCZweRgIXYrKh4HAw7sZ2YA0K4MMAxZpMOBh4AC7B90NGfXIbmAl2Q0niHCDDiN+N1i0I7uBiWQ3fGEk7IY9TPjdoNANMROijBnsBh6gGzihboDJ"
    "E4qLyMNiDOTGBUc/xExmpHDgRgoHQm6wgdJBh00ZBHG4oQLNDRzANMsIT90ImhVKg8JjLgPETYwNnAx5+XmpDEwNU+AKIthRLWBBM4gBR0TYMJAH"
    "Ggq6IJ6OP4jieQCiPU7f"
)
"""A firewall's events, in NetFlow v9.

Connection 1 is created at `SENT`, has 200 and 300 bytes after a second, and ends after three with 500 and 700;
connection 2 is denied at `SENT` + 4 s; connection 3 began at `SENT` + 4 s and ends a second later with 60 and 120.
"""


SAMPLED = (
    "eNrjWcrEwMDIzui3iDebAQgYgRAErjAgAEiEBYgXADEzCLMzKDCwMmgAZYBS9eWMTAyMFQzsDPwMEmD9/w8wlDAx8CQDlXIzZIC1MjIwsTIymDA8"
    "+DJbZxFQ04kfexgYt7I56dYxvmCezcGwoC2FHWgCg+Oc3YxsEgwMQO0MXEwMB9hTjI+xMIhM5WVawTodKMaRw8RYz8GgUMPQA1IEdRwyLQgR94G6"
    "lYexgZMhLz8vlYGpYQpQ0SKgVcuAdu5h3MK4htFIhOEPq1EOQw7TH44cRiMeBgY2hAshNAPCXACJ2i9k"
)
"""NetFlow v5 of a router that looks at one packet of 100: a flow of 10 packets and 1000 bytes of the sample."""

BREAKS = (
    "eNrjWcrEwMDIzljByZfNAAaMYFKHhQEOQCJ8QPyDmYEBiBjYGRQYWBlQ5OtBNBNULzdDCFgdkMfKyGDCMOPmFb1FQI7CWwi9jPkqmGaE6k+B0i+YAx"
    "jYmEDm8DAwMjEcYEgxPsbDwAE2n1wzX6KZyYhkJm5/gCDcH0xMOOzcgcPOV4T9QbKZr8nyBzPYHKidjMw47DyDw843hP1Bsplv8fiDUNg8wGHmBwrC"
    "G5eZHwm7E6ffv+Aw8xMF4YnLzM943MnBEADLM0g5mwGctmE0IxIfluWZcYiD+HNh8g2cDHn5eakMTA1TGLjgGRhCw/hcDPgBTD0uQEg/eiDBHAwAJi"
    "eWMg=="
)
"""NetFlow v5 of three engines of one router, with ten flows: the numbers of messages jump in the last two."""


def write(content: str, directory: Path) -> Path:
    """Puts one of them into a directory, under the name of its time."""
    path = directory / "nfcapd.202611301300"
    path.write_bytes(zlib.decompress(b64decode(content)))
    return path
