"""Programs of others that read files for us."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from rave_flow.errors import MissingProgramError, UnreadableError
from rave_flow.formats.source_directory import SourceFile


def run(file: SourceFile, output: Path, program: str, *arguments: str, package: str) -> str:
    """Writes what a program says of a file to ``output``, and gives what it complains about, in one line.

    Raises:
        MissingProgramError: it is not on the path; the message says that ``package`` has it.
        UnreadableError: it refuses the file.
    """
    path = shutil.which(program)
    if path is None:
        raise MissingProgramError(f"{file.path}: {program} is needed to read it, and is not installed ({package})")
    with output.open("wb") as out:
        done = subprocess.run(  # noqa: S603  # the program that is asked for, with a path that was scanned
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            env={**os.environ, "TZ": "UTC"},
        )
    said = " ".join(done.stderr.decode(errors="replace").split())
    if done.returncode:
        raise UnreadableError(f"{file.path}: {program}: {said[-300:] or f'it ended with {done.returncode}'}")
    return said
