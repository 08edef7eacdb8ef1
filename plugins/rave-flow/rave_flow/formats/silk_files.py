"""SiLK's packed files, written as a table by SiLK's own ``rwcut``, which knows every version of them."""

from __future__ import annotations

from collections.abc import Sequence
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
    _run(file, target, FIELDS, "--ip-format=canonical", "--column-separator=,")
    return target


def span_of_silk(file: SourceFile, folder: Path) -> tuple[int, int] | None:
    """The seconds in which the first and the last flow of a file start; ``None`` if it has no flows.

    ``rwcut`` reads all of it, yet writes one column, which takes a small part of the time of the rest.

    Raises:
        MissingProgramError: ``rwcut`` is not installed.
        UnreadableError: it refuses the file.
    """
    from pyarrow import compute, csv, float64

    target = folder / "times"
    _run(file, target, ("sTime",), "--no-titles")
    if not target.stat().st_size:
        return None
    kinds = csv.ConvertOptions(column_types={"time": float64()})
    times = csv.read_csv(target, csv.ReadOptions(column_names=["time"]), convert_options=kinds)["time"]
    found = compute.min_max(times).as_py()
    return int(found["min"]), int(found["max"])


def _run(file: SourceFile, target: Path, fields: Sequence[str], *switches: str) -> None:
    run(
        file, target, "rwcut", f"--fields={','.join(fields)}", "--timestamp-format=epoch", "--no-columns",
        "--no-final-delimiter", *switches, file.path,
        package="SiLK; or write it as CSV where SiLK is: rwcut --fields=1-11 --delimited=, --timestamp-format=epoch",
    )  # fmt: skip
