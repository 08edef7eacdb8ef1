"""``rave journal``: the command line of journals."""

from rave_journal.commands import editing, moving
from rave_journal.commands.group import journal

__all__ = ["editing", "journal", "moving"]
