"""Watches streams: processors see every event, are sampled each period, and survive every restart."""

from rave_monitor.checkpoint import Sample
from rave_monitor.processor import Abort, Processor
from rave_monitor.reader import Event, Reader
from rave_monitor.readers.merged import Merged
from rave_monitor.writer import Writer

__all__ = ["Abort", "Event", "Merged", "Processor", "Reader", "Sample", "Writer"]
