"""SiLK's packed files, written as a table by SiLK's own ``rwcut``, which knows every version of them."""

from __future__ import annotations

from pathlib import Path

from rave_flow.formats.programs import run
from rave_flow.formats.source_directory import SourceFile

FIELDS = (
    "sIP", "dIP", "sPort", "dPort", "protocol", "packets", "bytes", "flags", "sTime", "duration", "sensor", "class",
    "type", "initialFlags", "sessionFlags", "application",
)  # fmt: skip
"""What is asked of each flow; those from ``sensor`` on are columns of the source's own."""


def silk_to_csv(file: SourceFile, folder: Path) -> Path:
    """The flows of a file as a table with titles, in ``folder``; times in seconds since 1970.

    Raises:
        MissingProgramError: ``rwcut`` is not installed.
        UnreadableError: it refuses the file.
    """
    target = folder / "flows.csv"
    run(
        file, target, "rwcut", f"--fields={','.join(FIELDS)}", "--timestamp-format=epoch", "--ip-format=canonical",
        "--no-columns", "--no-final-delimiter", "--column-separator=,", file.path,
        package="SiLK; or write it as CSV where SiLK is: rwcut --fields=1-11 --delimited=, --timestamp-format=epoch",
    )  # fmt: skip
    return target
