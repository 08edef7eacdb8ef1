"""What the guest book is to RAVE: its name and version, and the service that runs beside the workers."""

from __future__ import annotations

from rave_core.hookspecs import hookimpl
from rave_core.lifecycle import Declaration, Service


@hookimpl
def rave_plugin() -> Declaration:
    """What other plugins and releases can name."""
    return Declaration("guestbook", "2.0.0a1")


@hookimpl
def rave_services() -> list[Service]:
    """Keeps the summary."""
    from rave_example.summary import Summarizer  # every program that calls operations imports this module

    summarizer = Summarizer()
    return [Service("guestbook-summary", summarizer.start, summarizer.stop)]
