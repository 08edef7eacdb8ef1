"""A generator of flow logs: one seeded day that looks like a company's."""

from rave_flow.generate.scenario import Scenario
from rave_flow.generate.writer import write_day

__all__ = ["Scenario", "write_day"]
