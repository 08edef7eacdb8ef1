"""Small programs of several files and edits of them, from text files; and how to load one as if it were all there is.

In ``edits/*.txt`` a case begins with ``=== what is edited: new`` (or ``same``: the version that must come), and with
``, told`` where something can't be followed and must be listed. Lines ``--- name.py`` begin further modules. An edit is
written ``{{before => after}}``. The operation is ``f``; what RAVE exports is imported.
"""

from __future__ import annotations

import importlib
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

HEAD = "from rave_core import depends_on, expires, op, op_file, version\n"
_EDIT = re.compile(r"\{\{(.*?) => (.*?)\}\}", re.DOTALL)


@dataclass(frozen=True)
class Edit:
    """An edit of a program.

    Attributes:
        name: what is edited.
        is_new: whether that must be another version.
        is_told: whether something must be listed as not tracked.
        before, after: texts by file.
    """

    name: str
    is_new: bool
    is_told: bool
    before: Mapping[str, str]
    after: Mapping[str, str]


def edits() -> list[Edit]:
    """All of them, in the order of the files."""
    found = []
    for path in sorted(Path(__file__).with_name("edits").glob("*.txt")):
        for case in re.split(r"^=== ", path.read_text("utf-8"), flags=re.MULTILINE)[1:]:
            head, _, text = case.partition("\n")
            name, _, verdict = head.rpartition(": ")
            program, *modules = re.split(r"^--- (\S+)\n", text, flags=re.MULTILINE)
            files = {"program.py": HEAD + program} | dict(zip(modules[::2], modules[1::2], strict=True))
            before, after = ({file: _EDIT.sub(rf"\{side}", text) for file, text in files.items()} for side in (1, 2))
            found.append(Edit(name, verdict.startswith("new"), verdict.endswith("told"), before, after))
    return found


@contextmanager
def loaded(directory: Path, files: Mapping[str, str]) -> Iterator[ModuleType]:
    """The module ``program`` of files that are written to ``directory``; forgotten at the end."""
    shutil.rmtree(directory, ignore_errors=True)
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    before = set(sys.modules)
    sys.path.insert(0, str(directory))
    importlib.invalidate_caches()
    try:
        yield importlib.import_module("program")
    finally:
        sys.path.remove(str(directory))
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(directory)):
                del sys.modules[name]
