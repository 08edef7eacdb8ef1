"""Functions of Python's library that lead to code by texts or bytes, which can't be followed, but told."""

from __future__ import annotations

from collections.abc import Mapping

_PROGRAM = "what another program does is not followed"
_NAMED = "code that a text names is not followed"
_STORED = "the classes that the bytes name are not followed"
_COMMENTS = "comments and layout, which it gives, do not count"

_NAMES: Mapping[str, dict[str, str]] = {
    _PROGRAM: {
        "subprocess": "run Popen call check_call check_output getoutput getstatusoutput",
        "os": "system popen execl execle execlp execlpe execv execve execvp execvpe posix_spawn posix_spawnp",
        "posix": "system execv execve posix_spawn posix_spawnp",
        "asyncio": "create_subprocess_exec create_subprocess_shell",
        "asyncio.subprocess": "create_subprocess_exec create_subprocess_shell",
    },
    _NAMED: {
        "pydoc": "locate",
        "pkgutil": "resolve_name",
        "runpy": "run_module run_path",
        "importlib.util": "spec_from_file_location",
        "_frozen_importlib_external": "spec_from_file_location",
    },
    _STORED: {
        "pickle": "load loads Unpickler",
        "_pickle": "load loads Unpickler",
        "shelve": "open",
        "marshal": "load loads",
    },
    _COMMENTS: {"inspect": "getsource getsourcelines getcomments findsource"},
}

LED_BY_TEXT: Mapping[tuple[str, str], str] = {
    (module, name): why
    for why, modules in _NAMES.items()
    for module, names in modules.items()
    for name in names.split()
}
"""Why what they lead to does not count, by the module and name of each."""
