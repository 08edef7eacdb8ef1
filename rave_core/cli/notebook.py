"""The extension of IPython and of notebooks, which ``%load_ext rave_core`` loads."""

from __future__ import annotations

from typing import Any


def load_ipython_extension(shell: Any) -> None:
    """Adds ``%rave`` and ``%%rave`` to an IPython, completes their arguments, and shows the progress of long calls.

    ``%load_ext rave_core`` calls it. Calls go to the current runtime, as everywhere.

    Args:
        shell: the ``InteractiveShell``.
    """
    from rave_core.cli.magics import RaveMagics  # only here: programs have no use for it

    RaveMagics(shell).install()


def unload_ipython_extension(shell: Any) -> None:
    """Removes what `load_ipython_extension` added. ``%unload_ext`` and ``%reload_ext`` call it.

    Args:
        shell: the ``InteractiveShell``.
    """
    from rave_core.cli.magics import RaveMagics

    RaveMagics.uninstall(shell)
