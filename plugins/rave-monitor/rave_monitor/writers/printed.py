"""``print``: samples and alarms on standard output."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from rave_monitor.checkpoint import Sample
from rave_monitor.writer import Writer


class PrintWriter(Writer):
    """Prints each sample and each alarm as a line of JSON."""

    def write(self, samples: list[Sample]) -> None:
        """Prints samples: ``processor``, ``time`` and ``values``."""
        for each in samples:
            click.echo(msgspec.json.encode(each))

    def tell(self, notice: dict[str, Any]) -> None:
        """Prints what a webhook would say."""
        click.echo(msgspec.json.encode(notice))
